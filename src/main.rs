//! pm
fn main() {}
