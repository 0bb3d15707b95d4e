//! The demo's sample repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use git2::{Repository, StatusOptions};
use server::demo::homelab::{self, HomelabError, Sample};
use tempfile::TempDir;

fn text(name: &str) -> &'static str {
    homelab::FILES.iter().find(|(path, _)| *path == name).map(|(_, text)| *text).unwrap()
}

fn variables(environment: &str) -> BTreeMap<&'static str, &'static str> {
    let lines = text(environment).lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once('=').unwrap()).collect()
}

#[test]
fn the_sample_is_a_clean_working_copy_of_main() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("new/homelab");
    assert_eq!(homelab::create(&path).unwrap(), Sample::Created);
    let repository = Repository::open(&path).unwrap();
    let head = repository.head().unwrap();
    assert_eq!(head.name().unwrap(), "refs/heads/main");
    assert_eq!(head.peel_to_commit().unwrap().author().email().unwrap(), "demo@localhost");
    let mut options = StatusOptions::new();
    options.include_untracked(true);
    assert!(repository.statuses(Some(&mut options)).unwrap().is_empty(), "`git status` shows something");
}

#[test]
fn a_sample_that_was_worked_on_is_left_alone() {
    let directory = TempDir::new().unwrap();
    homelab::create(directory.path()).unwrap();
    let env = directory.path().join("env/.env.preprod");
    fs::write(&env, "TRAEFIK_VERSION=v3.4.4\n").unwrap();
    assert_eq!(homelab::create(directory.path()).unwrap(), Sample::Kept);
    assert_eq!(fs::read_to_string(&env).unwrap(), "TRAEFIK_VERSION=v3.4.4\n");
}

#[test]
fn a_directory_with_something_else_is_refused() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("thesis.txt"), "x").unwrap();
    assert!(matches!(homelab::create(directory.path()), Err(HomelabError::Occupied(_))));
}

#[test]
fn every_variable_of_the_stack_is_set_in_both_environments() {
    let stack = text("docker-swarm-stack.yml");
    let used: BTreeSet<&str> = stack.split("${").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
    for environment in ["env/.env.preprod", "env/.env.prod"] {
        let set: BTreeSet<&str> = variables(environment).into_keys().collect();
        assert_eq!(set, used, "{environment}");
    }
}

#[test]
fn the_environments_differ_in_name_domain_and_ports_only() {
    let (preprod, prod) = (variables("env/.env.preprod"), variables("env/.env.prod"));
    for (name, value) in &preprod {
        let must_differ = name.ends_with("_PORT") || matches!(*name, "ENV_NAME" | "DOMAIN_SUFFIX");
        assert_eq!(prod[name] != *value, must_differ, "{name}");
    }
}
