//! Integration tests: real SQLite, real router, real sockets.

mod source;
