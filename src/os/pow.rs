//! `pow` of the C library, so that none has to be loaded for it: the template engine has an operator `**`,
//! and nothing else in pm needs the shared libm. Without it every start maps and relocates one library
//! less, and 0.3 MiB of it are not resident.

/// Returns `x` to the power of `y`, as pow(3).
#[expect(unsafe_code, reason = "the compiler calls the power of two numbers by this name")]
// SAFETY: it is what pow(3) is, with its types, and has no state.
#[unsafe(no_mangle)]
extern "C" fn pow(x: f64, y: f64) -> f64 {
    libm::pow(x, y)
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    #[test]
    fn a_power_is_what_it_is_in_the_c_library() {
        let table = [
            (2.0, 10.0, 1024.0),
            (9.0, 0.5, 3.0),
            (0.5, -2.0, 4.0),
            (-2.0, 3.0, -8.0),
            (7.0, 0.0, 1.0),
            (10.0, 308.0, 1e308),
            (10.0, 309.0, f64::INFINITY),
            (0.0, -1.0, f64::INFINITY),
        ];
        for (x, y, expected) in table {
            assert_eq!(black_box::<f64>(x).powf(black_box(y)), expected, "{x} ** {y}");
        }
        assert!(black_box(-8.0_f64).powf(black_box(0.5)).is_nan());
    }
}
