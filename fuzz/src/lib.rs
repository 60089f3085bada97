//! The properties that `cargo test --test inputs` holds, for the fuzz targets.

#[path = "../../tests/inputs/properties/mod.rs"]
pub mod properties;
