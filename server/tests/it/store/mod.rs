//! The ledger: its contract, kept by SQLite and by the fake alike, then what SQLite alone promises.

mod backups;
mod contract;
mod faults;
mod migrating;
mod opening;
mod orders;
mod paging;
pub(crate) mod samples;
mod schema;
mod sealing;
