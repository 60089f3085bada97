//! Whether the bytes of a file are the same as before: by size and hash, of a large one by size and time.

use std::fs::{File, Metadata};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

/// Of a larger file size and time decide.
pub(super) const HASHED_MAX: u64 = 4 << 20;

/// What is known of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    pub(super) size: u64,
    pub(super) modified: Option<SystemTime>,
    /// Of its bytes, where they have been read.
    hash: Option<u64>,
}

impl Fingerprint {
    /// What can be known without reading it.
    pub(super) fn of(found: &Metadata) -> Self {
        Self { size: found.len(), modified: found.modified().ok(), hash: None }
    }

    /// Reads its bytes, too. One that cannot be read has no hash.
    pub(super) fn with_hash(self, path: &Path) -> Self {
        if self.size > HASHED_MAX {
            return self;
        }
        Self { hash: hash(path).ok(), ..self }
    }

    /// Returns whether the file has other bytes than before, as far as can be known.
    pub(super) fn differs_from(&self, before: &Self) -> bool {
        match (self.hash, before.hash) {
            _ if self.size != before.size => true,
            (Some(now), Some(before)) => now != before,
            _ => self.modified != before.modified,
        }
    }

    /// Returns whether it may differ: its bytes are to be read.
    pub(super) fn looks_other_than(&self, before: &Self) -> bool {
        (self.size, self.modified) != (before.size, before.modified)
    }
}

fn hash(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut hasher = DefaultHasher::new();
    let mut buffer = vec![0; 64 << 10];
    // It may grow while it is read.
    let mut left = HASHED_MAX;
    while left > 0 {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.write(&buffer[..count]);
        left = left.saturating_sub(count as u64);
    }
    Ok(hasher.finish())
}
