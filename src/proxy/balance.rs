//! Who gets the next request: least in flight, then round robin.

/// One who may get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    /// Its requests in flight.
    pub in_flight: u64,
    /// It can be asked at this time.
    pub is_open: bool,
}

/// Returns the place of the one with the least in flight; of several the first behind `last`, who got the last request.
#[must_use]
pub fn choose(contenders: &[Contender], last: usize) -> Option<usize> {
    let count = contenders.len();
    (1..=count)
        .map(|step| (last + step) % count)
        .filter(|place| contenders[*place].is_open)
        .min_by_key(|place| contenders[*place].in_flight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(in_flight: &[Option<u64>], last: usize) -> Option<usize> {
        let contenders: Vec<Contender> = in_flight
            .iter()
            .map(|load| Contender { in_flight: load.unwrap_or(0), is_open: load.is_some() })
            .collect();
        choose(&contenders, last)
    }

    #[test]
    fn the_least_busy_is_chosen_and_of_equals_the_next() {
        let cases = [
            (vec![], 0, None),
            (vec![None, None], 0, None),
            (vec![Some(0), Some(0), Some(0)], 0, Some(1)),
            (vec![Some(0), Some(0), Some(0)], 2, Some(0)),
            (vec![Some(1), Some(0), Some(1)], 1, Some(1)),
            (vec![Some(2), Some(1), Some(1)], 2, Some(1)),
            (vec![Some(0), None, Some(3)], 0, Some(0)),
            (vec![None, Some(9)], 7, Some(1)),
        ];
        for (loads, last, expected) in cases {
            assert_eq!(chosen(&loads, last), expected, "{loads:?} {last}");
        }
    }
}
