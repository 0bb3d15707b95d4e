//! The demo's sample repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use git2::{Repository, StatusOptions};
use release_manager::env_file;
use release_manager::ports::Files;
use release_manager::stack::{self, Input, Reach, Stack, StackFile};
use server::demo::homelab::{self, HomelabError, Sample};
use tempfile::TempDir;

use super::path;

fn text(name: &str) -> &'static str {
    homelab::FILES.iter().find(|(path, _)| *path == name).map(|(_, text)| *text).unwrap()
}

fn variables(environment: &str) -> BTreeMap<String, String> {
    env_file::parse(text(&format!("env/.env.{environment}")).as_bytes()).unwrap()
}

fn rendered(environment: &str) -> Stack {
    let file = StackFile { path: path("docker-swarm-stack.yml"), text: text("docker-swarm-stack.yml").to_owned() };
    let name = format!("homelab-{environment}").parse().unwrap();
    let variables = variables(environment);
    let input =
        Input { stack: &name, files: &[file], variables: &variables, bind_base: None, reach: Reach::Repository };
    let wanted = stack::referenced_files(input).unwrap();
    let files: Files =
        wanted.into_iter().map(|path| (path.clone(), text(path.as_str()).as_bytes().to_owned())).collect();
    let (stack, warnings) = stack::render(input, &files).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    stack
}

fn published_ports(stack: &Stack) -> BTreeSet<u64> {
    let ports = stack.services.values().filter_map(|service| service.spec["EndpointSpec"]["Ports"].as_array());
    ports.flatten().filter_map(|port| port["PublishedPort"].as_u64()).collect()
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
    for environment in ["preprod", "prod"] {
        let variables = variables(environment);
        let set: BTreeSet<&str> = variables.keys().map(String::as_str).collect();
        assert_eq!(set, used, "{environment}");
    }
}

#[test]
fn the_environments_differ_in_name_domain_ports_and_a_few_older_versions() {
    let (preprod, prod) = (variables("preprod"), variables("prod"));
    for (name, value) in &preprod {
        let must_differ = name.ends_with("_PORT") || matches!(name.as_str(), "ENV_NAME" | "DOMAIN_SUFFIX");
        assert!(prod[name] != *value || !must_differ, "{name}");
        assert!(prod[name] == *value || must_differ || name.ends_with("_VERSION"), "{name}");
    }
    let older = preprod.iter().filter(|(name, value)| name.ends_with("_VERSION") && prod[*name] != **value).count();
    assert_eq!(older, 3, "so that the first comparison has something to show");
}

#[test]
fn both_environments_render_and_fit_on_one_swarm() {
    let (preprod, prod) = (rendered("preprod"), rendered("prod"));
    assert_eq!((preprod.services.len(), preprod.configs.len(), preprod.networks.len()), (10, 1, 1));
    assert_eq!(published_ports(&preprod).len(), 3);
    assert!(published_ports(&preprod).is_disjoint(&published_ports(&prod)));
}
