//! What differs between two environments, or between what runs and what should.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::{ServiceName, Version};
use crate::release::ServiceVersion;

/// How a service differs. The words are those of the REST API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeType {
    /// The same version on both sides.
    NoChange,
    /// Another version; up or down is for people to say.
    VersionBump,
    /// Only in what should run.
    NewService,
    /// Only in what runs.
    RemovedService,
}

/// One service on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceChange {
    /// The service.
    pub service: ServiceName,
    /// What runs now.
    pub from: Option<Version>,
    /// What would run.
    pub to: Option<Version>,
    /// How they differ.
    pub change_type: ChangeType,
}

/// One field of a spec that differs. Values that may be secret (environment, data) are never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// `TaskTemplate.ContainerSpec.Image`.
    pub field: String,
    /// What is live; `None` where the field is not there or not to be shown.
    pub from: Option<String>,
    /// What is wanted; `None` where the field goes or is not to be shown.
    pub to: Option<String>,
}

/// Something that was found before anything was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// The service that it concerns; `None` where it concerns the whole stack.
    pub service: Option<ServiceName>,
    /// What it is and what to do.
    pub message: String,
}

/// Compares every service of either side, in the order of their names, unchanged ones included.
pub fn diff(
    running: &BTreeMap<ServiceName, ServiceVersion>,
    wanted: &BTreeMap<ServiceName, ServiceVersion>,
) -> Vec<ServiceChange> {
    let mut services: Vec<&ServiceName> = running.keys().chain(wanted.keys()).collect();
    services.sort_unstable();
    services.dedup();
    services
        .into_iter()
        .map(|service| {
            let from = running.get(service).map(|running| running.version.clone());
            let to = wanted.get(service).map(|wanted| wanted.version.clone());
            let change_type = match (&from, &to) {
                (None, _) => ChangeType::NewService,
                (_, None) => ChangeType::RemovedService,
                (Some(from), Some(to)) if from == to => ChangeType::NoChange,
                _ => ChangeType::VersionBump,
            };
            ServiceChange { service: service.clone(), from, to, change_type }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> BTreeMap<ServiceName, ServiceVersion> {
        text.split_whitespace()
            .map(|pair| {
                let (service, version) = pair.split_once('=').unwrap();
                (service.parse().unwrap(), ServiceVersion::of_image(&format!("app:{version}")).unwrap())
            })
            .collect()
    }

    #[track_caller]
    fn check(running: &str, wanted: &str, expected: &[&str]) {
        let changes: Vec<String> = diff(&release(running), &release(wanted))
            .iter()
            .map(|change| format!("{} {:?}", change.service, change.change_type))
            .collect();
        assert_eq!(changes, expected);
    }

    #[test]
    fn changes_come_in_the_order_of_service_names() {
        check(
            "zigbee=1 pihole=1 same=1",
            "pihole=2 auth=1 same=1",
            &["auth NewService", "pihole VersionBump", "same NoChange", "zigbee RemovedService"],
        );
    }
}
