//! Fakes that behave.
