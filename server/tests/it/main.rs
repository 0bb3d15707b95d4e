//! Integration tests: real SQLite, real router, real sockets.

mod fake_github;
mod source;
mod store;
