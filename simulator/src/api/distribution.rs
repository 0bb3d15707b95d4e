//! `/distribution`: what a registry says about an image.

use axum::extract::{Path, State};
use serde_json::json;

use crate::{
    api::{Answer, App, nothing_here, ok},
    behaviour,
    error::Refusal,
    image,
    options::Registry,
    spec::ContainerSpec,
};

pub(super) async fn inspect(State(shared): App, Path(path): Path<String>) -> Answer {
    let Some(name) = path.strip_suffix("/json") else { return Ok(nothing_here().await) };
    if !image::is_valid(name) {
        return Err(Refusal::bad("invalid reference format").into());
    }
    shared.with(|world| {
        if world.options.registry == Registry::Offline {
            let message =
                "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host";
            return Err(Refusal::new(500, message).into());
        }
        let container = ContainerSpec { image: name.to_owned(), ..ContainerSpec::default() };
        if behaviour::of(&container, &world.options.images, false).missing {
            return Err(Refusal::new(404, "manifest unknown: manifest unknown").into());
        }
        ok(&json!({
            "Descriptor": {
                "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
                "digest": image::digest(name),
                "size": 1862,
            },
            "Platforms": [{ "architecture": "amd64", "os": "linux" }],
        }))
    })
}
