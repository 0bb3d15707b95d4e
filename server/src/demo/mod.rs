//! What the demo shows: a sample repository of a homelab.

pub mod homelab;
pub mod running;
