//! Env files: text to variables.
