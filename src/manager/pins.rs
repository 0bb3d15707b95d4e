//! Asking registries for digests: each image once, several at a time.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::engine::{LiveStack, Pinned};
use crate::names::ServiceName;
use crate::plan::{self, ImageChoice, Resolve};
use crate::ports::{Swarm, SwarmError};
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
    let pins = of_services(swarm, &asked).await?;
    let unknown = asked.into_iter().filter(|(service, _)| !pins.contains_key(service)).map(|(_, image)| image);
    Ok(Resolved { stack: plan::with_pins(&stack, &pins), unknown: unknown.collect() })
}

/// The pinned image of every service whose registry gives one.
pub(super) async fn of_services(
    swarm: &dyn Swarm,
    asked: &BTreeMap<ServiceName, String>,
) -> Result<BTreeMap<ServiceName, Pinned>, SwarmError> {
    let images: BTreeSet<&String> = asked.values().collect();
    let questions: Vec<_> = images.into_iter().map(|image| ask(swarm, image)).collect();
    let found: BTreeMap<&String, Option<Pinned>> =
        stream::iter(questions).buffer_unordered(CONCURRENT_QUESTIONS).try_collect().await?;
    let pinned = |image: &String| found.get(image).cloned().flatten();
    Ok(asked.iter().filter_map(|(service, image)| Some((service.clone(), pinned(image)?))).collect())
}

type Answer<'a> = Result<(&'a String, Option<Pinned>), SwarmError>;

fn ask<'a>(swarm: &'a dyn Swarm, image: &'a String) -> BoxFuture<'a, Answer<'a>> {
    async move { Ok((image, swarm.pin(image).await?)) }.boxed()
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
    fn services_that_share_an_image_ask_for_it_once() {
        check("web=app:1 worker=app:1 beat=app:1", Resolve::Always, &format!("app:1@{NEW}"), &["app:1"]);
    }
}
