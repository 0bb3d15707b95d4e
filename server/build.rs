//! Builds again when a migration changes: `sqlx::migrate!` embeds them without telling cargo.

#![allow(clippy::print_stdout, reason = "this is how a build script talks to cargo")]

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
