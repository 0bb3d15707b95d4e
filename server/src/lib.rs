//! The adapters of Release Manager: git hosts, Docker, SQLite, HTTP.
