//! Putting services together that were rendered at different revisions, each with what it was rendered with.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::rotate::{Kind, Objects, content_digest, networks_of, references_of, rotated_name};
use super::spec::set;
use crate::hidden;
use crate::names::{ServiceName, StackName};
use crate::stack::{Object, Stack};

/// Some services of a rendered stack.
#[derive(Debug, Clone)]
pub(crate) struct Part<'a> {
    /// The stack.
    pub(crate) stack: &'a Stack,
    /// Which of its services; others are left out.
    pub(crate) services: BTreeSet<ServiceName>,
}

/// One stack of these parts, with the networks, secrets and configs that its services use. Where two parts call
/// different contents by one name, the later part's get the name that a rotation would give them: every service keeps
/// the very content that it was rendered with. Of two networks of one name the first counts, as Swarm changes none.
pub(crate) fn compose(name: &StackName, parts: &[Part<'_>]) -> Stack {
    let mut whole = Stack {
        name: name.clone(),
        services: BTreeMap::new(),
        networks: BTreeMap::new(),
        secrets: BTreeMap::new(),
        configs: BTreeMap::new(),
        given: BTreeSet::new(),
    };
    for part in parts {
        for (service, rendered) in part.stack.services.iter().filter(|(service, _)| part.services.contains(*service)) {
            for network in networks_of(&rendered.spec) {
                if let Some(object) = part.stack.networks.get(&network) {
                    whole.networks.entry(network).or_insert_with(|| object.clone());
                }
            }
            let secrets = references_of(&rendered.spec, Kind::Secret);
            let configs = references_of(&rendered.spec, Kind::Config);
            let renamed = Objects {
                secrets: taken_over(&part.stack.secrets, &secrets, &mut whole.secrets),
                configs: taken_over(&part.stack.configs, &configs, &mut whole.configs),
                ..Objects::default()
            };
            let mut rendered = rendered.clone();
            rendered.spec = renamed.followed(&rendered.spec);
            // What only services that are left out were given is not carried along for ever.
            let given = part.stack.given.iter().filter(|value| hidden::stands_in(&rendered.spec, value));
            whole.given.extend(given.cloned());
            whole.services.insert(service.clone(), rendered);
        }
    }
    whole
}

/// Adds the objects of these names, and tells which of them got another name.
fn taken_over(
    from: &BTreeMap<String, Object>,
    used: &BTreeSet<String>,
    into: &mut BTreeMap<String, Object>,
) -> BTreeMap<String, String> {
    let mut renamed = BTreeMap::new();
    for (name, object) in used.iter().filter_map(|name| from.get_key_value(name)) {
        match (into.get(name), object) {
            (None, _) => {
                into.insert(name.clone(), object.clone());
            }
            // What exists by other means has one content, whoever names it.
            (Some(_), Object::External) => (),
            (Some(known), Object::Ours { spec }) => {
                let digest = content_digest(spec);
                let is_same = matches!(known, Object::Ours { spec } if content_digest(spec) == digest);
                if !is_same {
                    let rotated = rotated_name(name, &digest);
                    let mut spec = spec.clone();
                    set(&mut spec, &["Name"], json!(rotated));
                    into.insert(rotated.clone(), Object::Ours { spec });
                    renamed.insert(name.clone(), rotated);
                }
            }
        }
    }
    renamed
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::stack::Service;

    /// A stack in which each service reads the config `motd` with that content (base64).
    fn stack(content: &str, services: &[&str]) -> Stack {
        let service = |name: &&str| {
            let spec = json!({"Name": format!("lab_{name}"), "TaskTemplate": {"ContainerSpec": {
                "Image": "app:1", "Configs": [{"ConfigName": "lab_motd", "File": {"Name": "/etc/motd"}}],
            }, "Networks": [{"Target": "lab_net"}]}});
            (name.parse().unwrap(), Service { spec, depends_on: BTreeSet::new() })
        };
        let ours = |spec: Value| Object::Ours { spec };
        Stack {
            name: "lab".parse().unwrap(),
            services: services.iter().map(service).collect(),
            networks: [("lab_net".to_owned(), ours(json!({"Name": "lab_net"})))].into(),
            secrets: BTreeMap::new(),
            configs: [("lab_motd".to_owned(), ours(json!({"Name": "lab_motd", "Data": content})))].into(),
            given: BTreeSet::new(),
        }
    }

    fn part<'a>(stack: &'a Stack, services: &[&str]) -> Part<'a> {
        Part { stack, services: services.iter().map(|name| name.parse().unwrap()).collect() }
    }

    /// The content that a service of the stack gets to see.
    fn content(stack: &Stack, service: &str) -> String {
        let spec = &stack.services[&service.parse::<ServiceName>().unwrap()].spec;
        let name = spec["TaskTemplate"]["ContainerSpec"]["Configs"][0]["ConfigName"].as_str().unwrap();
        let Object::Ours { spec } = &stack.configs[name] else { panic!("ours") };
        assert_eq!(spec["Name"], name, "an object is called what services call it");
        spec["Data"].as_str().unwrap().to_owned()
    }

    #[test]
    fn every_service_keeps_the_content_that_it_was_rendered_with() {
        let (old, new) = (stack("b2xk", &["web", "db"]), stack("bmV3", &["web", "db"]));
        let whole = compose(&old.name, &[part(&new, &["web"]), part(&old, &["db"])]);
        assert_eq!((content(&whole, "web"), content(&whole, "db")), ("bmV3".to_owned(), "b2xk".to_owned()));
        assert_eq!((whole.configs.len(), whole.networks.len()), (2, 1));
        let again = compose(&old.name, &[part(&whole, &["db"]), part(&new, &["web"])]);
        assert_eq!((content(&again, "web"), content(&again, "db")), ("bmV3".to_owned(), "b2xk".to_owned()));
    }

    #[test]
    fn the_same_content_keeps_its_name_and_what_is_not_used_is_left_out() {
        let (one, other) = (stack("b2xk", &["web"]), stack("b2xk", &["web", "db"]));
        let whole = compose(&one.name, &[part(&one, &["web"]), part(&other, &["db"])]);
        assert_eq!(whole.configs.keys().collect::<Vec<_>>(), ["lab_motd"]);
        assert_eq!(compose(&one.name, &[part(&one, &["gone"])]).configs.len(), 0);
    }
}
