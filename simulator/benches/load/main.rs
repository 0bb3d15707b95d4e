//! The other side of the program, for `scripts/bench-load`: an Engine to deploy to, clients that ask, viewers that watch,
//! and a bare server to compare with.
//!
//! ```text
//! load engine SOCKET                                a simulated Engine on a unix socket
//! load bare FILE TYPE                               a bare axum handler that answers with the file's bytes; prints its address
//! load requests ADDRESS CONNECTIONS SECONDS         asks for the paths on standard input, one after the other, as fast as
//!                                                   answers come; prints figures as JSON
//! load viewers ADDRESS COUNT                        follows /api/events until standard input ends; prints figures as JSON
//! ```

#![expect(clippy::print_stdout, reason = "it is what this program is for")]

mod bare;
mod figures;
mod requests;
mod viewers;

use std::error::Error;
use std::process::ExitCode;

use simulator::{Options, Simulator};
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    // Cargo passes `--bench` on.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // One thread each: the program under test needs the rest of the machine.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(run(&arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("load: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[&str]) -> Result<(), Failure> {
    match arguments {
        ["engine", socket] => Ok(Simulator::new(Options::default()).serve(socket, CancellationToken::new()).await?),
        ["bare", file, content_type] => bare::serve(file, content_type).await,
        ["requests", address, connections, seconds] => {
            println!("{}", requests::measure(address, connections.parse()?, seconds.parse()?).await?);
            Ok(())
        }
        ["viewers", address, count] => {
            println!("{}", viewers::watch(address, count.parse()?).await?);
            Ok(())
        }
        // `cargo bench` without arguments runs every bench.
        [] => Ok(()),
        _ => Err(
            "usage: load engine SOCKET | bare FILE TYPE | requests ADDRESS CONNECTIONS SECONDS | viewers ADDRESS COUNT"
                .into(),
        ),
    }
}
