//! The ledger: its contract, kept by SQLite and by the fake alike, then what SQLite alone promises.

mod contract;

mod samples;
