//! What containers do: by a rule for their image, by the end of its tag, or by a command that is simple enough to read.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{image, script, spec::ContainerSpec};

/// What the containers of an image do. Times are before the simulator's `speed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Behaviour {
    /// No node can get the image: tasks are rejected.
    pub missing: bool,
    /// There is no program in the image: what the service calls arguments is taken for one, and nothing starts.
    pub bare: bool,
    /// Milliseconds to get the image and create the container.
    pub prepare_ms: u64,
    /// Milliseconds from there to `running`, health apart.
    pub start_ms: u64,
    /// Milliseconds from SIGTERM to the end.
    pub stop_ms: u64,
    /// How it ends by itself, if it does.
    pub exit: Option<Exit>,
    /// What its health check says, if it has one.
    pub health: Health,
    /// Lines that it writes at its start. Without any, some are made up.
    pub logs: Vec<LogLine>,
}

/// The end of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Milliseconds after it began to run.
    pub after_ms: u64,
    /// Its exit code.
    pub code: i64,
}

/// What a health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Healthy so many milliseconds after the start.
    After(u64),
    /// Never healthy. The image is taken to have a health check even if the service has none.
    Never,
}

/// A line that a container writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Whether it goes to standard error.
    pub error: bool,
    /// The text.
    pub text: String,
}

/// A behaviour for some images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRule {
    /// An image reference (`app:2`), or the beginning of one followed by `*` (`registry.local/app:*`).
    pub image: String,
    /// What its containers do.
    pub behaviour: Behaviour,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            missing: false,
            bare: false,
            prepare_ms: 80,
            start_ms: 80,
            stop_ms: 120,
            exit: None,
            health: Health::After(100),
            logs: Vec::new(),
        }
    }
}

impl Behaviour {
    /// Runs for so long, then ends with this code.
    pub fn exits(after_ms: u64, code: i64) -> Self {
        Self { exit: Some(Exit { after_ms, code }), ..Self::default() }
    }

    /// Cannot be had from anywhere.
    pub fn missing() -> Self {
        Self { missing: true, ..Self::default() }
    }

    /// Takes so long to start.
    pub fn slow(start_ms: u64) -> Self {
        Self { start_ms, ..Self::default() }
    }

    /// Starts, but its health check never passes.
    pub fn unhealthy() -> Self {
        Self { health: Health::Never, ..Self::default() }
    }

    /// What the end of a tag asks for, for demonstrations: `-crash`, `-missing`, `-slow`, `-unhealthy`, `-exit0`,
    /// `-bare`.
    fn of_tag(tag: &str) -> Option<Self> {
        if tag.ends_with("-crash") {
            Some(Self::exits(600, 1))
        } else if tag.contains("missing") {
            Some(Self::missing())
        } else if tag.ends_with("-slow") {
            Some(Self::slow(8_000))
        } else if tag.ends_with("-unhealthy") {
            Some(Self::unhealthy())
        } else if tag.ends_with("-bare") {
            Some(Self { bare: true, ..Self::default() })
        } else if tag.ends_with("-exit0") {
            Some(Self::exits(500, 0))
        } else {
            None
        }
    }

    /// How long a container that never gets healthy lives.
    pub(crate) fn patience(container: &ContainerSpec) -> Duration {
        match &container.healthcheck {
            Some(check) if check.is_on() => check.patience(),
            _ => Duration::from_secs(3),
        }
    }
}

/// What a container does: the last matching rule, else what its tag ends with, else what its command says. A job whose
/// command says nothing ends well after a moment.
pub(crate) fn of(container: &ContainerSpec, rules: &[ImageRule], is_job: bool) -> Behaviour {
    let name = image::without_digest(&container.image);
    if let Some(rule) = rules.iter().rev().find(|rule| rule.matches(&name)) {
        return rule.behaviour.clone();
    }
    if let Some(behaviour) = image::tag(&name).and_then(Behaviour::of_tag) {
        return behaviour;
    }
    let mut behaviour = script::of_command(container).unwrap_or_default();
    if is_job && behaviour.exit.is_none() {
        behaviour.exit = Some(Exit { after_ms: 400, code: 0 });
    }
    if script::never_healthy(container) {
        behaviour.health = Health::Never;
    }
    behaviour
}

impl ImageRule {
    fn matches(&self, name: &str) -> bool {
        match self.image.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => image::without_digest(&self.image) == name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(image: &str, args: &[&str], rules: &[ImageRule], expected: &Behaviour) {
        let container = ContainerSpec {
            image: image.to_owned(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            ..ContainerSpec::default()
        };
        assert_eq!(of(&container, rules, false), *expected, "{image} {args:?}");
    }

    #[test]
    fn the_end_of_a_tag_says_what_containers_do() {
        check("app:1", &[], &[], &Behaviour::default());
        check("app:1-crash", &[], &[], &Behaviour::exits(600, 1));
        check("app:1-missing@sha256:00", &[], &[], &Behaviour::missing());
        check("registry:5000/app:2-slow", &[], &[], &Behaviour::slow(8_000));
        check("registry:5000/x-crash/app", &[], &[], &Behaviour::default());
        check("app:2-unhealthy", &["sleep", "3"], &[], &Behaviour::unhealthy());
    }

    #[test]
    fn a_rule_for_the_image_comes_first_and_the_latest_counts() {
        let rule = |image: &str, code| ImageRule { image: image.to_owned(), behaviour: Behaviour::exits(0, code) };
        let rules = [rule("app:*", 1), rule("app:2-crash", 2)];
        check("docker.io/library/app:1@sha256:00", &[], &rules, &Behaviour::exits(0, 1));
        check("app:2-crash", &[], &rules, &Behaviour::exits(0, 2));
        check("other:1", &[], &rules, &Behaviour::default());
    }

    #[test]
    fn a_job_ends_unless_it_says_otherwise() {
        let job = |image: &str| of(&ContainerSpec { image: image.to_owned(), ..ContainerSpec::default() }, &[], true);
        assert_eq!(job("migrate:1").exit, Some(Exit { after_ms: 400, code: 0 }));
        assert_eq!(job("migrate:1-crash").exit, Some(Exit { after_ms: 600, code: 1 }));
    }
}
