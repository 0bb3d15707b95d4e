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
    /// The services that were rendered at another revision: those that a partial deployment left as they were.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub elsewhere: BTreeMap<ServiceName, Option<Revision>>,
}

impl Release {
    /// A release whose services are all of one revision.
    pub fn new(revision: Option<Revision>, services: BTreeMap<ServiceName, ServiceVersion>) -> Self {
        Self { revision, services, elsewhere: BTreeMap::new() }
    }

    /// A release whose services may each be of another revision; `revision` is the one that people are told.
    pub fn mixed(
        revision: Option<Revision>,
        services: impl IntoIterator<Item = (ServiceName, (ServiceVersion, Option<Revision>))>,
    ) -> Self {
        let mut release = Self::new(revision, BTreeMap::new());
        for (name, (version, own)) in services {
            if own != release.revision {
                release.elsewhere.insert(name.clone(), own);
            }
            release.services.insert(name, version);
        }
        release
    }

    /// The revision at which a service was rendered.
    pub fn revision_of(&self, service: &ServiceName) -> Option<&Revision> {
        self.elsewhere.get(service).map_or(self.revision.as_ref(), Option::as_ref)
    }
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
