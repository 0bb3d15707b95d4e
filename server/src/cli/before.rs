//! One look at the Docker Engine before the start: what only a person can mend ends it, with what to do. An Engine that
//! does not answer is waited for instead, by whoever follows it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use release_manager::ports::{Swarm, SwarmError};

use super::Failure;

/// How long the Engine may take to say what it is: nobody waits longer for the pages.
const PATIENCE: Duration = Duration::from_secs(2);
/// What the Engine says where its node could be a manager again without anybody's doing here.
const PASSING: [&str; 2] = ["does not have a leader", "needs to be unlocked"];

/// Refuses an Engine that this user may not use, and one that is no manager of a Swarm.
pub(super) async fn check_engine(host: &str, swarm: &dyn Swarm) -> Result<(), Failure> {
    if let Some(path) = host.strip_prefix("unix://") {
        may_open(Path::new(path))?;
    }
    match tokio::time::timeout(PATIENCE, swarm.check()).await {
        Ok(Err(error @ SwarmError::NotManager { .. }))
            if !PASSING.iter().any(|words| error.to_string().contains(words)) =>
        {
            Err(Failure::setting(format!(
                "DOCKER_HOST: {error}; `docker swarm init` makes a node a manager of a new Swarm"
            )))
        }
        _ => Ok(()),
    }
}

fn may_open(socket: &Path) -> Result<(), Failure> {
    match UnixStream::connect(socket) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let group = std::fs::metadata(socket)
                .map_or("the socket's group".to_owned(), |known| format!("the group {}", known.gid()));
            let user =
                std::fs::metadata("/proc/self").map_or("this user".to_owned(), |known| format!("user {}", known.uid()));
            Err(Failure::setting(format!(
                "DOCKER_HOST: {user} may not open `{}`: give the container {group} (`user: \"65532:GROUP\"`, or `docker \
                 run --group-add`), or run it as a user who is in that group",
                socket.display()
            )))
        }
        _ => Ok(()),
    }
}
