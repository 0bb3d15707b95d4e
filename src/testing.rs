//! Fakes that behave: small enough to read, and true to the contract of the port.

mod clock;
mod ledger;
mod source;
mod swarm;

pub use clock::TestClock;
pub use ledger::FakeLedger;
pub use source::FakeSource;
pub use swarm::FakeSwarm;
