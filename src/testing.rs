//! Fakes that behave: small enough to read, and true to the contract of the port.

mod clock;
mod ledger;

pub use clock::TestClock;
pub use ledger::FakeLedger;
