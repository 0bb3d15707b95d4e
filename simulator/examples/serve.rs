//! Serves a simulated swarm on a unix socket until Ctrl-C: `cargo run -p simulator --example serve -- /tmp/swarm.sock`.

use std::{env::args_os, io};

use simulator::{Options, Simulator};
use tokio_util::sync::CancellationToken;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let Some(socket) = args_os().nth(1) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "name the socket: serve SOCKET [STATE_FILE]"));
    };
    let options = Options { state_file: args_os().nth(2).map(Into::into), ..Options::default() };
    let shutdown = CancellationToken::new();
    let simulator = Simulator::new(options);
    let ends = shutdown.clone();
    tokio::select! {
        result = simulator.serve(socket, shutdown) => result,
        result = async { tokio::signal::ctrl_c().await?; ends.cancel(); io::Result::Ok(()) } => result,
    }
}
