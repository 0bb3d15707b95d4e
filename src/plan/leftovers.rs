//! What a stack leaves behind when its services are gone.

use std::collections::BTreeMap;
use std::fmt;

use crate::engine::{LiveObject, LiveStack, NAMESPACE_LABEL, Write};
use crate::names::StackName;

/// What is left of a stack; for people `network shop_default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// `secret`, `config` or `network`.
    pub kind: &'static str,
    /// Its name in the Engine.
    pub name: String,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// An object that belongs to a stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Leftover {
    /// What it is.
    pub what: Left,
    /// What takes it out.
    pub write: Write,
}

/// The secrets, configs and networks that carry the stack's label, in the order in which they can go.
pub fn leftovers(stack: &StackName, live: &LiveStack) -> Vec<Leftover> {
    let of = |kind: &'static str, objects: &BTreeMap<String, LiveObject>, write: fn(String) -> Write| {
        let ours = |object: &&LiveObject| object.labels.get(NAMESPACE_LABEL).is_some_and(|of| of == stack.as_str());
        let leftover = |(name, object): (&String, &LiveObject)| {
            let leftover = || Leftover { what: Left { kind, name: name.clone() }, write: write(object.id.clone()) };
            Some(object).filter(ours).map(|_| leftover())
        };
        objects.iter().filter_map(leftover).collect::<Vec<_>>()
    };
    let secrets = of("secret", &live.secrets, |id| Write::RemoveSecret { id });
    let configs = of("config", &live.configs, |id| Write::RemoveConfig { id });
    let networks = of("network", &live.networks, |id| Write::RemoveNetwork { id });
    secrets.into_iter().chain(configs).chain(networks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_carries_the_label_of_the_stack_goes() {
        let object = |id: &str, stack: Option<&str>| LiveObject {
            id: id.to_owned(),
            labels: stack.map(|stack| (NAMESPACE_LABEL.to_owned(), stack.to_owned())).into_iter().collect(),
            scope: "swarm".to_owned(),
            version: 1,
            created_at: None,
            data: None,
        };
        let live = LiveStack {
            networks: BTreeMap::from([
                ("home_default".to_owned(), object("n1", Some("home"))),
                ("ingress".to_owned(), object("n2", None)),
            ]),
            secrets: BTreeMap::from([
                ("home_key".to_owned(), object("s1", Some("home"))),
                ("homestead_key".to_owned(), object("s2", Some("homestead"))),
            ]),
            ..LiveStack::default()
        };
        let found = leftovers(&"home".parse().unwrap(), &live);
        let found: Vec<String> = found.iter().map(|leftover| leftover.what.to_string()).collect();
        assert_eq!(found, ["secret home_key", "network home_default"]);
    }
}
