//! The digest behind a tag, as a registry gives it.

use std::time::Duration;

use release_manager::engine::{Pinned, Platform};
use release_manager::ports::{Pin, SwarmError};
use serde_json::Value;

use super::client::{Client, Question, READ};
use super::registries::Registries;
use super::{presence, read};

/// How long a registry may take; it is often far away, and asked by the Engine.
const DISTRIBUTION: Duration = Duration::from_secs(20);

pub(super) async fn pin(client: &Client, registries: Option<&Registries>, image: &str) -> Result<Pin, SwarmError> {
    let tagged = with_tag(image);
    let auth = registries.map(|registries| registries.for_question(image)).transpose();
    let auth = auth.map_err(|error| SwarmError::Credentials(error.to_string()))?.flatten();
    let path = format!("/distribution/{tagged}/json");
    let found = match client.answer(DISTRIBUTION, &Question::get(&path).with_auth(auth)).await {
        Ok(found) => found,
        Err(error @ SwarmError::Unreachable { .. }) => return Err(error),
        Err(error) if presence::is_missing(&error) => {
            return if is_here(client, &tagged).await {
                Ok(as_named(image))
            } else {
                Err(SwarmError::NotFound(error.to_string()))
            };
        }
        Err(_) if image.contains('@') => return Ok(as_named(image)),
        Err(error) => return Ok(Pin::Unknown(error.to_string())),
    };
    let digest = read::text(&found, "/Descriptor/digest");
    let pinned = match digest {
        _ if image.contains('@') => image.to_owned(),
        Some(digest) => format!("{tagged}@{digest}"),
        None => return Ok(Pin::Unknown("the registry's answer names no digest".to_owned())),
    };
    Ok(Pin::To(Pinned { image: pinned, platforms: platforms(&found) }))
}

/// An image of which no registry says more than its name does.
fn as_named(image: &str) -> Pin {
    if image.contains('@') { Pin::To(Pinned { image: image.to_owned(), platforms: Vec::new() }) } else { Pin::Local }
}

/// Whether the Engine has the image itself: one that was built there runs there.
async fn is_here(client: &Client, tagged: &str) -> bool {
    let path = format!("/images/{tagged}/json");
    client.answer(READ, &Question::get(&path)).await.is_ok()
}

/// As the docker command takes them over: the variants of `arm` go by several names, so none is asked for.
fn platforms(answer: &Value) -> Vec<Platform> {
    let platforms = answer.get("Platforms").and_then(Value::as_array).into_iter().flatten();
    let word = |platform: &Value, at: &str| read::text(platform, at).unwrap_or_default().to_owned();
    let platform = |platform: &Value| Platform {
        architecture: Some(word(platform, "/architecture")).filter(|name| name != "arm").unwrap_or_default(),
        os: word(platform, "/os"),
    };
    platforms.map(platform).collect()
}

/// The image with its tag, which is `latest` where none is named. The port of a registry is no tag.
fn with_tag(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    if name.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

#[cfg(test)]
mod tests {
    use super::with_tag;

    #[test]
    fn an_image_without_a_tag_means_latest() {
        for (image, tagged) in [
            ("app", "app:latest"),
            ("app:1", "app:1"),
            ("app@sha256:0", "app@sha256:0"),
            ("registry:5000/app", "registry:5000/app:latest"),
            ("registry:5000/team/app:2", "registry:5000/team/app:2"),
        ] {
            assert_eq!(with_tag(image), tagged);
        }
    }
}
