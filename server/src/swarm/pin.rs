//! The digest behind a tag, as a registry gives it.

use std::time::Duration;

use release_manager::ports::SwarmError;
use tracing::debug;

use super::client::Client;

/// How long a registry may take; it is often far away, and asked by the Engine.
const DISTRIBUTION: Duration = Duration::from_secs(20);

pub(super) async fn pin(client: &Client, image: &str) -> Result<Option<String>, SwarmError> {
    if image.contains('@') {
        return Ok(Some(image.to_owned()));
    }
    let tagged = with_tag(image);
    let found = client.ask(DISTRIBUTION, |docker| {
        let tagged = tagged.clone();
        async move { docker.inspect_registry_image(&tagged, None).await }
    });
    match found.await {
        Ok(found) => Ok(found.descriptor.digest.map(|digest| format!("{tagged}@{digest}"))),
        Err(error @ SwarmError::Unreachable { .. }) => Err(error),
        Err(error) => {
            debug!(image, %error, "No registry gives a digest for {image}");
            Ok(None)
        }
    }
}

/// The image with its tag, which is `latest` where none is named. The port of a registry is no tag.
fn with_tag(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    if name.contains(':') { image.to_owned() } else { format!("{image}:latest") }
}

#[cfg(test)]
mod tests {
    use super::with_tag;

    #[test]
    fn an_image_without_a_tag_means_latest() {
        for (image, tagged) in [
            ("app", "app:latest"),
            ("app:1", "app:1"),
            ("registry:5000/app", "registry:5000/app:latest"),
            ("registry:5000/team/app:2", "registry:5000/team/app:2"),
        ] {
            assert_eq!(with_tag(image), tagged);
        }
    }
}
