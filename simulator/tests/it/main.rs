//! The simulator as a client sees it: life cycles by table, refusals by table, faults, and what survives a restart.

mod client;
mod daemons;
mod faults;
mod lifecycle;
mod refusals;
