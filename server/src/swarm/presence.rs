//! Whether an image can be had: from the Engine itself, else from its registry.

use std::time::Duration;

use release_manager::ports::{ImagePresence, SwarmError};

use super::client::{Client, Question, READ};
use super::registries::Registries;

/// How long a registry may take; it is often far away, and asked by the Engine.
const DISTRIBUTION: Duration = Duration::from_secs(20);

/// What registries say of an image or repository that is not there.
const NO_SUCH_IMAGE: [&str; 3] = ["manifest unknown", "name unknown", "repository name not known"];

pub(super) async fn presence(
    client: &Client,
    registries: Option<&Registries>,
    image: &str,
) -> Result<ImagePresence, SwarmError> {
    match client.answer(READ, &Question::get(&format!("/images/{image}/json"))).await {
        Ok(_) => return Ok(ImagePresence::Found),
        Err(error @ (SwarmError::Unreachable { .. } | SwarmError::TimedOut { .. })) => return Err(error),
        // It may be on another node, or be pulled when it is needed.
        Err(_) => (),
    }
    let auth = registries.map(|registries| registries.for_question(image)).transpose();
    let auth = auth.map_err(|error| SwarmError::Credentials(error.to_string()))?.flatten();
    let path = format!("/distribution/{image}/json");
    match client.answer(DISTRIBUTION, &Question::get(&path).with_auth(auth)).await {
        Ok(_) => Ok(ImagePresence::Found),
        Err(error) => Ok(told(&error)),
    }
}

/// What follows from a registry's refusal: only its own word that there is no such image is one.
fn told(error: &SwarmError) -> ImagePresence {
    if is_missing(error) { ImagePresence::Missing } else { ImagePresence::Unknown(error.to_string()) }
}

/// Whether a registry says that it has no such image. Other troubles leave it open.
pub(super) fn is_missing(error: &SwarmError) -> bool {
    let words = error.to_string();
    NO_SUCH_IMAGE.iter().any(|known| words.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_registrys_own_word_makes_an_image_missing() {
        let refused = |text: &str| SwarmError::Refused(text.to_owned());
        let not_found = SwarmError::NotFound("manifest unknown: manifest unknown".to_owned());
        assert_eq!(told(&not_found), ImagePresence::Missing);
        assert_eq!(told(&refused("errors: name unknown: repository name not known")), ImagePresence::Missing);
        for unknown in ["denied: requested access to the resource is denied", "lookup registry: no such host"] {
            assert!(matches!(told(&refused(unknown)), ImagePresence::Unknown(_)), "{unknown}");
        }
    }
}
