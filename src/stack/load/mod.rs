//! From the tree to the model: short forms, units, paths and environments. Types were checked by the schema, so what
//! does not fit is passed over silently here.

mod deploy;
mod environment;
pub(crate) mod model;
mod mounts;
mod objects;
pub(crate) mod paths;
pub(crate) mod ports;
mod service;
pub(crate) mod units;
mod values;
mod words;

use super::Variables;
use super::findings::Findings;
use super::yaml::Cursor;
use crate::ports::Files;
use model::Document;
use paths::Base;

pub(crate) use environment::env_files;

/// What a file is loaded with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) variables: &'a Variables,
    pub(crate) base: &'a Base,
    /// The content of the repository's files; `None` while it is only asked which are needed.
    pub(crate) files: Option<&'a Files>,
    /// Where relative bind mounts lead to on the nodes.
    pub(crate) bind_base: Option<&'a str>,
    pub(crate) minor: u8,
}

/// So many services one file may have: each costs some 10 kB once it is a request, and a file of 1 MiB could name 70,000.
const MOST_SERVICES: usize = 10_000;

/// Loads a file whose variables are filled in.
pub(crate) fn load(root: &Cursor<'_>, around: Surroundings<'_>, findings: &mut Findings) -> Document {
    let section = |key: &str| root.get(key).into_iter().flat_map(|section| section.entries().collect::<Vec<_>>());
    if let Some((_, beyond)) = section("services").nth(MOST_SERVICES) {
        findings.refuse(&beyond.place, format!("the file has more than {MOST_SERVICES} services: write fewer"));
    }
    Document {
        services: section("services")
            .take(MOST_SERVICES)
            .map(|(name, found)| (name.to_owned(), service::load(&found, around, findings)))
            .collect(),
        networks: section("networks")
            .map(|(name, found)| (name.to_owned(), objects::network(name, &found, around.minor, findings)))
            .collect(),
        volumes: section("volumes")
            .map(|(name, found)| (name.to_owned(), objects::volume(name, &found, around.minor, findings)))
            .collect(),
        secrets: section("secrets")
            .map(|(name, found)| (name.to_owned(), objects::file_object(name, &found, around, findings)))
            .collect(),
        configs: section("configs")
            .map(|(name, found)| (name.to_owned(), objects::file_object(name, &found, around, findings)))
            .collect(),
    }
}
