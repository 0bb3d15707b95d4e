//! Releases: what is deployed, as people see it. The rendered stack that belongs to one lies in `stack`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::{Digest, ServiceName, Version};
use crate::revision::Revision;

/// The version of one service: the tag (or digest) of its image, and the image itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceVersion {
    /// What people call the version.
    pub version: Version,
    /// The image as the Swarm runs it, with the digest where one is known.
    pub image: String,
}

impl ServiceVersion {
    /// Reads version and digest off an image reference: the tag if there is one, else the digest, else `latest`.
    /// `None` where the reference has a tag or digest that no registry would take.
    pub fn of_image(image: &str) -> Option<Self> {
        let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
        // A colon before the last slash belongs to the registry's port.
        let tag = name.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag);
        let version = tag.or(digest).unwrap_or("latest").parse().ok()?;
        Some(Self { version, image: image.to_owned() })
    }

    /// The digest that the image is pinned to.
    pub fn digest(&self) -> Option<Digest> {
        self.image.split_once('@').and_then(|(_, digest)| digest.parse().ok())
    }
}

/// What an environment runs or should run: every service's version, and the revision that said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The revision; `None` for a stack that was running before Release Manager first saw it.
    pub revision: Option<Revision>,
    /// Every service of the environment.
    pub services: BTreeMap<ServiceName, ServiceVersion>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(image: &str, version: Option<&str>) {
        let read = ServiceVersion::of_image(image);
        assert_eq!(read.as_ref().map(|read| read.version.as_str()), version, "{image}");
    }

    #[test]
    fn the_version_is_the_tag_then_the_digest_then_latest() {
        let digest = format!("sha256:{}", "b".repeat(64));
        check("nginx:1.27", Some("1.27"));
        check("nginx", Some("latest"));
        check("localhost:5000/team/app", Some("latest"));
        check("localhost:5000/team/app:7", Some("7"));
        check(&format!("app:3@{digest}"), Some("3"));
        check(&format!("app@{digest}"), Some(&digest));
        check("app:$(rm)", None);
    }
}
