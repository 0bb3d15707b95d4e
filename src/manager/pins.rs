//! Asking registries for digests: each image once, several at a time.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::diff::Finding;
use crate::engine::{LiveStack, Pinned};
use crate::names::ServiceName;
use crate::plan::{self, ImageChoice, Resolve};
use crate::ports::{Pin, Swarm, SwarmError};
use crate::stack::Stack;

/// How many registries are asked at the same time.
const CONCURRENT_QUESTIONS: usize = 16;

/// A stack whose images are settled.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The stack, its images pinned where a registry gave a digest.
    pub stack: Stack,
    /// The images that no registry knew: they are sent without a digest, or keep the one that runs.
    pub unknown: BTreeSet<String>,
    /// What speaks against a deployment: images that are in no registry and not on the manager.
    pub missing: Vec<Finding>,
}

/// Settles the images of a stack that is about to be deployed over `live`.
pub async fn resolve_images(
    swarm: &dyn Swarm,
    mut stack: Stack,
    live: &LiveStack,
    resolve: Resolve,
) -> Result<Resolved, SwarmError> {
    let choices = plan::choices(&stack, live, resolve);
    plan::keep(&mut stack, &choices);
    let asked: BTreeMap<ServiceName, String> = choices
        .into_iter()
        .filter_map(|(service, choice)| match choice {
            ImageChoice::Ask(image) => Some((service, image)),
            ImageChoice::Keep { .. } | ImageChoice::AsWritten => None,
        })
        .collect();
    let Pins { pinned, missing, unanswered: _ } = of_services(swarm, &asked).await?;
    let is_missing = |service: &ServiceName| missing.iter().any(|finding| finding.service.as_ref() == Some(service));
    let unknown = asked.iter().filter(|(service, _)| !pinned.contains_key(*service) && !is_missing(service));
    let unknown = unknown.map(|(_, image)| image.clone()).collect();
    Ok(Resolved { stack: plan::with_pins(&stack, &pinned), unknown, missing })
}

/// What registries said of the images of services.
pub(super) struct Pins {
    /// The pinned image of every service whose registry gives one.
    pub(super) pinned: BTreeMap<ServiceName, Pinned>,
    /// The services whose image cannot be found.
    pub(super) missing: Vec<Finding>,
    /// The services whose registry did not say.
    pub(super) unanswered: Vec<Finding>,
}

/// Asks for the images of services.
pub(super) async fn of_services(swarm: &dyn Swarm, asked: &BTreeMap<ServiceName, String>) -> Result<Pins, SwarmError> {
    let images: BTreeSet<&String> = asked.values().collect();
    let questions: Vec<_> = images.into_iter().map(|image| ask(swarm, image)).collect();
    let found: BTreeMap<&String, Option<Pin>> =
        stream::iter(questions).buffer_unordered(CONCURRENT_QUESTIONS).try_collect().await?;
    let mut pins = Pins { pinned: BTreeMap::new(), missing: Vec::new(), unanswered: Vec::new() };
    for (service, image) in asked {
        let finding = |message| Finding { service: Some(service.clone()), message };
        match found.get(image) {
            Some(Some(Pin::To(pinned))) => drop(pins.pinned.insert(service.clone(), pinned.clone())),
            Some(Some(Pin::Unknown(why))) => pins.unanswered.push(finding(format!(
                "no registry gave a digest for the image `{image}`, so nodes may get different contents under its name: {why}"
            ))),
            Some(None) => pins.missing.push(finding(format!(
                "the image `{image}` of service `{service}` cannot be found in its registry, nor on the manager: correct \
                 its name or tag, or push it"
            ))),
            Some(Some(Pin::Local)) | None => (),
        }
    }
    Ok(pins)
}

type Answer<'a> = Result<(&'a String, Option<Pin>), SwarmError>;

/// What is known of an image; `None` where there is no such image.
fn ask<'a>(swarm: &'a dyn Swarm, image: &'a String) -> BoxFuture<'a, Answer<'a>> {
    async move {
        match swarm.pin(image).await {
            Ok(pin) => Ok((image, Some(pin))),
            Err(SwarmError::NotFound(_)) => Ok((image, None)),
            Err(error) => Err(error),
        }
    }
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Write;
    use crate::plan::testkit::stack;
    use crate::testing::FakeSwarm;

    const OLD: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const NEW: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    /// Deploys `app:1` pinned to the old digest, moves the tag, and resolves what is wanted then.
    #[track_caller]
    fn check(wanted: &str, resolve: Resolve, expected: &str, asked: &[&str]) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let swarm = FakeSwarm::default();
            swarm.publish("app:1", OLD);
            let first = stack("web=app:1");
            let first = resolve_images(&swarm, first, &LiveStack::default(), Resolve::Always).await.unwrap().stack;
            for service in first.services.values() {
                swarm.apply(&Write::CreateService { spec: service.spec.clone() }).await.unwrap();
            }
            swarm.publish("app:1", NEW);
            let before = swarm.asked().len();
            let live = swarm.live(&first.name).await.unwrap();
            let resolved = resolve_images(&swarm, stack(wanted), &live, resolve).await.unwrap();
            let web = &resolved.stack.services[&"web".parse().unwrap()];
            assert_eq!(plan::image_of(&web.spec), Some(expected), "{wanted} {resolve:?}");
            assert_eq!(&swarm.asked()[before..], asked, "{wanted} {resolve:?}");
        });
    }

    #[test]
    fn a_tag_is_looked_up_as_the_switch_says() {
        check("web=app:1", Resolve::Always, &format!("app:1@{NEW}"), &["app:1"]);
        check("web=app:1", Resolve::Changed, &format!("app:1@{OLD}"), &[]);
        check("web=app:1", Resolve::Never, &format!("app:1@{OLD}"), &[]);
        check("web=app:2", Resolve::Changed, "app:2", &["app:2"]);
        check("web=app:2", Resolve::Never, "app:2", &[]);
    }

    #[test]
    fn an_image_that_its_registry_does_not_have_speaks_against_the_deployment() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let swarm = FakeSwarm::default();
            swarm.publish("app:1", OLD);
            swarm.lose("app:2");
            let wanted = stack("web=app:1 worker=app:2 beat=other:1");
            let resolved = resolve_images(&swarm, wanted, &LiveStack::default(), Resolve::Always).await.unwrap();
            assert_eq!(resolved.unknown, BTreeSet::from(["other:1".to_owned()]));
            let missing: Vec<&str> = resolved.missing.iter().map(|finding| finding.message.as_str()).collect();
            assert!(matches!(&missing[..], [one] if one.contains("`app:2` of service `worker`")), "{missing:?}");
        });
    }

    #[test]
    fn services_that_share_an_image_ask_for_it_once() {
        check("web=app:1 worker=app:1 beat=app:1", Resolve::Always, &format!("app:1@{NEW}"), &["app:1"]);
    }
}
