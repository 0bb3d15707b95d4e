//! Any bytes as an environment's env file: an error or variables, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(variables) = release_manager::env_file::parse(data) {
        assert!(!variables.is_empty());
    }
});
