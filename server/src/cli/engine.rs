//! The Engine that the settings name.

use std::path::PathBuf;

use super::Failure;
use crate::config::Settings;
use crate::swarm::{DockerSwarm, EngineTls};

/// The Engine at `host`. Over TCP it is spoken to with TLS where `DOCKER_TLS_VERIFY` or `DOCKER_CERT_PATH` is set, as the
/// docker command does; the certificates lie in the directory of the latter, or in `~/.docker`.
pub(super) fn connect(settings: &dyn Settings, host: &str) -> Result<DockerSwarm, Failure> {
    let connected = match certificates(settings)?.filter(|_| host.starts_with("tcp://")) {
        None => DockerSwarm::connect(host),
        Some(directory) => {
            let tls = EngineTls::in_directory(&directory)
                .map_err(|error| Failure::setting(format!("DOCKER_CERT_PATH: {error}")))?;
            DockerSwarm::connect_tls(host, tls)
        }
    };
    connected.map_err(|error| Failure::setting(format!("DOCKER_HOST: {error}")))
}

/// The directory of the certificates; `None` where nobody wants TLS.
fn certificates(settings: &dyn Settings) -> Result<Option<PathBuf>, Failure> {
    let given = |name: &str| settings.get(name).filter(|value| !value.is_empty());
    match (given("DOCKER_CERT_PATH"), given("DOCKER_TLS_VERIFY"), given("HOME")) {
        (Some(directory), ..) => Ok(Some(directory.into())),
        (None, None, _) => Ok(None),
        (None, Some(_), Some(home)) => Ok(Some(PathBuf::from(home).join(".docker"))),
        (None, Some(_), None) => Err(Failure::setting(
            "DOCKER_CERT_PATH: it is not set: DOCKER_TLS_VERIFY needs the directory of ca.pem, cert.pem and key.pem",
        )),
    }
}
