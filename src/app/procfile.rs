//! Reads a Procfile, by foreman's rule (procfile.rb): `^([A-Za-z0-9_-]+):\s*(.+)$`.
