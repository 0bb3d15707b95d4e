//! Integration tests: real SQLite, real router, real sockets.
