//! The Engine that the settings name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use release_manager::names::StackName;

use super::Failure;
use crate::config::{EngineAddress, Settings};
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

/// The Swarms of the stacks that run elsewhere than behind `docker_host`; one connection for each Engine.
pub(super) fn elsewhere(
    docker_host: &str,
    engines: &BTreeMap<StackName, EngineAddress>,
    finish: impl Fn(DockerSwarm) -> Result<DockerSwarm, Failure>,
) -> Result<BTreeMap<StackName, Arc<DockerSwarm>>, Failure> {
    let mut connected: BTreeMap<&EngineAddress, Arc<DockerSwarm>> = BTreeMap::new();
    let mut swarms = BTreeMap::new();
    let is_elsewhere = |engine: &EngineAddress| engine.host != docker_host || engine.certificates.is_some();
    for (stack, engine) in engines.iter().filter(|(_, engine)| is_elsewhere(engine)) {
        let swarm =
            match connected.get(engine) {
                Some(known) => Arc::clone(known),
                None => Arc::new(finish(reach(engine).map_err(|error| {
                    Failure::setting(format!("CONFIG_FILE: the Engine of stack `{stack}`: {error}"))
                })?)?),
            };
        connected.insert(engine, Arc::clone(&swarm));
        swarms.insert(stack.clone(), swarm);
    }
    Ok(swarms)
}

fn reach(engine: &EngineAddress) -> Result<DockerSwarm, Box<dyn std::error::Error>> {
    Ok(match &engine.certificates {
        None => DockerSwarm::connect(&engine.host)?,
        Some(directory) => DockerSwarm::connect_tls(&engine.host, EngineTls::in_directory(directory)?)?,
    })
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
