//! An amount of memory as people write it: `512M`, `1G`, `1.5GiB`, `460`.

use std::fmt;

/// Bytes in a MiB.
const MIB: u64 = 1 << 20;

/// An amount of memory in bytes; at least 1, at most `i64::MAX` (what the kernel's files accept).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// Why a text is no amount of memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not a number with one of the known units.
    #[error("`{text}` is not an amount of memory")]
    Malformed {
        /// What was typed.
        text: String,
    },
    /// Zero, or a fraction of a byte.
    #[error("`{text}` is zero")]
    Nothing {
        /// What was typed.
        text: String,
    },
    /// More than any machine has.
    #[error("`{text}` is more memory than can be addressed")]
    TooMuch {
        /// What was typed.
        text: String,
    },
}

impl SizeError {
    /// Returns what to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => {
                "write a number with K, M, G or T: `512M`, `1.5G`; a bare number is MiB"
            }
            Self::Nothing { .. } => "leave the option out for no budget",
            Self::TooMuch { .. } => "a bare number is MiB, not bytes",
        }
    }
}

impl Size {
    /// Takes a number of bytes; `None` for 0 and for what [`Size`] cannot hold.
    pub fn from_bytes(bytes: u64) -> Option<Self> {
        (bytes > 0 && i64::try_from(bytes).is_ok()).then_some(Self(bytes))
    }

    /// Takes a number of MiB; `None` as for bytes.
    pub fn from_mib(mib: u64) -> Option<Self> {
        mib.checked_mul(MIB).and_then(Self::from_bytes)
    }

    /// Reads a number, whole or with a fraction, and a unit: `k M G T`, each also with `B` or `iB`, in
    /// either case, all of them powers of 1024 (as in `docker --memory`); no unit is MiB, `B` is bytes.
    pub fn parse(text: &str) -> Result<Self, SizeError> {
        let malformed = || SizeError::Malformed { text: text.to_owned() };
        let trimmed = text.trim();
        let digits =
            trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        let factor = unit_in_bytes(unit.trim_start()).ok_or_else(malformed)?;
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(malformed()),
            None => (number, ""),
        };
        if whole.is_empty() || fraction.contains('.') {
            return Err(malformed());
        }
        // Only digits are left, so a failure to parse is an overflow.
        let too_much = || SizeError::TooMuch { text: text.to_owned() };
        let whole: u64 = whole.parse().map_err(|_| too_much())?;
        let bytes = whole
            .checked_mul(factor)
            .and_then(|bytes| bytes.checked_add(part_of(factor, fraction)));
        match bytes {
            Some(0) => Err(SizeError::Nothing { text: text.to_owned() }),
            Some(bytes) => Self::from_bytes(bytes).ok_or_else(too_much),
            None => Err(too_much()),
        }
    }

    /// Returns the number of bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// Returns the number of whole MiB.
    pub fn mib(self) -> u64 {
        self.0 / MIB
    }
}

fn unit_in_bytes(unit: &str) -> Option<u64> {
    let lower = unit.to_ascii_lowercase();
    Some(match lower.as_str() {
        "" | "m" | "mb" | "mib" => MIB,
        "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return None,
    })
}

/// Returns 0.`digits` of `unit`, rounded down. Digits past the ninth are worth less than
/// a thousandth of a MiB and are dropped.
fn part_of(unit: u64, digits: &str) -> u64 {
    let nine = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
    let billionths = nine.fold(0_u128, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    let part = u128::from(unit) * billionths / 1_000_000_000;
    u64::try_from(part).unwrap_or(unit)
}

impl fmt::Display for Size {
    /// Writes `512 MiB`, and `1.5 MiB` where it is not a whole number of them and under 10.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = u128::from(self.0) * 10 / u128::from(MIB);
        match (tenths / 10, tenths % 10) {
            (0, 0) => f.write_str("under 0.1 MiB"),
            (whole, tenth) if whole < 10 && tenth > 0 => write!(f, "{whole}.{tenth} MiB"),
            (whole, _) => write!(f, "{whole} MiB"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_every_usual_spelling() {
        let table = [
            ("512M", 512 << 20),
            ("512MB", 512 << 20),
            ("512MiB", 512 << 20),
            ("512 MiB", 512 << 20),
            ("512m", 512 << 20),
            ("460", 460 << 20),
            (" 460 ", 460 << 20),
            ("1G", 1 << 30),
            ("1.5GiB", 3 << 29),
            ("0.5g", 1 << 29),
            ("100k", 100 << 10),
            ("2T", 2 << 40),
            ("4096B", 4096),
            ("1.0000000001M", 1 << 20),
            ("0.25", 1 << 18),
        ];
        for (text, bytes) in table {
            assert_eq!(Size::parse(text).map(Size::bytes), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_what_was_typed() {
        let table = [
            ("", "`` is not an amount of memory"),
            ("M", "`M` is not an amount of memory"),
            ("-1M", "`-1M` is not an amount of memory"),
            ("1e3", "`1e3` is not an amount of memory"),
            ("1.2.3M", "`1.2.3M` is not an amount of memory"),
            (".5G", "`.5G` is not an amount of memory"),
            ("5.G", "`5.G` is not an amount of memory"),
            ("12X", "`12X` is not an amount of memory"),
            ("512Mbit", "`512Mbit` is not an amount of memory"),
            ("٣M", "`٣M` is not an amount of memory"),
            ("0", "`0` is zero"),
            ("0.1B", "`0.1B` is zero"),
            ("99999999999999999999", "`99999999999999999999` is more memory than can be addressed"),
            ("9000000T", "`9000000T` is more memory than can be addressed"),
            ("8388608T", "`8388608T` is more memory than can be addressed"),
        ];
        for (text, message) in table {
            assert_eq!(
                Size::parse(text).map_err(|e| e.to_string()),
                Err(message.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn sizes_print_in_mib() {
        let table = [
            ("512M", "512 MiB"),
            ("1.5G", "1536 MiB"),
            ("1.5M", "1.5 MiB"),
            ("10.5M", "10 MiB"),
            ("1k", "under 0.1 MiB"),
        ];
        for (text, printed) in table {
            assert_eq!(Size::parse(text).map(|size| size.to_string()), Ok(printed.to_owned()));
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_is_the_number_times_its_unit(
            whole in "[0-9]{0,20}", fraction in "(\\.[0-9]{0,3})?", unit in "( ?[kKmMgGtTbBi]{0,3}|[a-zé% -]{0,3})",
        ) {
            let text = format!("{whole}{fraction}{unit}");
            let number: Option<f64> = format!("{whole}{fraction}").parse().ok();
            match Size::parse(&text) {
                Ok(size) => {
                    // Rounded to bytes; what f64 rounds away is far less than a part in a million.
                    let expected = number.unwrap() * unit_in_bytes(unit.trim()).unwrap() as f64;
                    let difference = (size.bytes() as f64 - expected).abs();
                    proptest::prop_assert!(difference <= 1.0 + expected / 1e6, "{text:?} is {size:?}");
                }
                Err(SizeError::Malformed { .. }) => {
                    let is_plain = !whole.is_empty() && fraction.is_empty() && unit_in_bytes(unit.trim()).is_some();
                    proptest::prop_assert!(!is_plain, "{text:?}");
                }
                Err(SizeError::Nothing { .. }) => proptest::prop_assert!(number.unwrap() < 1.0, "{text:?}"),
                Err(SizeError::TooMuch { .. }) => proptest::prop_assert!(number.unwrap() >= 8_388_607.0, "{text:?}"),
            }
        }

        #[test]
        fn every_number_of_mib_comes_back(mib in 1_u64..8_796_093_022_208) {
            proptest::prop_assert_eq!(Size::parse(&format!("{mib}M")).map(Size::mib), Ok(mib));
        }
    }
}
