//! `release-manager stack` as a person runs it: the real program, against the simulated Engine and a real one.

mod commands;
mod deploying;
mod memory;
mod registry;
mod scene;
