#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pm_fuzz::properties::line_splitter::holds(bytes));
