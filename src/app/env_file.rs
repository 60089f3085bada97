//! Reads an env file, by conformance/DIALECT.md; dotenvy reads what this has prepared.
