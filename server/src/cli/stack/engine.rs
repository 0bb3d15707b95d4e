//! The Engine that the commands talk to, and what they would do there.

use std::path::PathBuf;
use std::sync::Arc;

use release_manager::diff::Finding;
use release_manager::manager::resolve_images;
use release_manager::names::StackName;
use release_manager::plan::{self, Plan, Resolve};
use release_manager::ports::Swarm;
use release_manager::stack::Stack;

use super::files::StackFiles;
use crate::cli::Failure;
use crate::cli::serve::ProcessEnvironment;
use crate::config::Settings;
use crate::swarm::{DockerSwarm, Registries};

/// What decides about the plan besides the files.
#[derive(Debug, clap::Args)]
pub(super) struct Switches {
    /// Also remove services that the files no longer name.
    #[arg(long)]
    prune: bool,

    /// When registries are asked for the digests of images.
    #[arg(long, value_enum, default_value_t)]
    resolve_image: ResolveImage,

    /// Send the credentials of `docker login` along, so that nodes can fetch images from private registries.
    #[arg(long)]
    with_registry_auth: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum ResolveImage {
    /// At every deployment.
    #[default]
    Always,
    /// When the image in the stack file has changed.
    Changed,
    /// Never.
    Never,
}

/// What a deployment would do, and to what.
pub(super) struct Prepared {
    pub(super) swarm: Arc<DockerSwarm>,
    pub(super) stack: Stack,
    pub(super) plan: Plan,
}

/// The Engine at `DOCKER_HOST`.
pub(super) fn connect(with_registry_auth: bool) -> Result<DockerSwarm, Failure> {
    let host = ProcessEnvironment.get("DOCKER_HOST").unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
    let swarm = crate::cli::engine::connect(&ProcessEnvironment, &host)?;
    let home = || ProcessEnvironment.get("HOME").map(|home| PathBuf::from(home).join(".docker"));
    let Some(directory) = ProcessEnvironment.get("DOCKER_CONFIG").map(PathBuf::from).or_else(home) else {
        return Ok(swarm);
    };
    let registries = Registries::in_directory(&directory);
    Ok(swarm.with_registries(if with_registry_auth { registries.for_nodes() } else { registries }))
}

/// Reads the files, looks at the Swarm, and plans.
pub(super) async fn prepare(name: &StackName, files: &StackFiles, switches: &Switches) -> Result<Prepared, Failure> {
    let rendered = files.render(name, ProcessEnvironment::all())?;
    super::warn(&rendered.warnings);
    let swarm = connect(switches.with_registry_auth)?;
    let live = swarm.live(name).await.map_err(Failure::new)?;
    let live = if switches.prune { live } else { plan::without_pruning(&rendered.stack, live) };
    let resolve = match switches.resolve_image {
        ResolveImage::Always => Resolve::Always,
        ResolveImage::Changed => Resolve::Changed,
        ResolveImage::Never => Resolve::Never,
    };
    let resolved = resolve_images(&swarm, rendered.stack, &live, resolve).await.map_err(Failure::new)?;
    let mut plan = plan::plan(&resolved.stack, &live, None);
    plan.blockers.extend(resolved.missing);
    if !resolved.unknown.is_empty() {
        let images: Vec<&str> = resolved.unknown.iter().map(String::as_str).collect();
        let message = format!(
            "no registry says which digest these images have, so that nodes may run different ones under one name: {}",
            images.join(", ")
        );
        plan.warnings.push(Finding { service: None, message });
    }
    Ok(Prepared { swarm: Arc::new(swarm), stack: resolved.stack, plan })
}
