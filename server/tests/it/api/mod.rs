//! The REST API: the real router over a real database and a simulated Engine.

mod answers;
mod commands;
mod conditional;
mod described;
mod once;
mod operation;
mod problems;
mod world;
