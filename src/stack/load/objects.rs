//! Networks, volumes, secrets and configs of the top level.

use super::Surroundings;
use super::model::{FileObject, Network, Volume};
use super::values::{dict, flag, named, text};
use crate::stack::findings::{Findings, Placed};
use crate::stack::yaml::{Cursor, Yaml};

/// Whether something is external, and the name that it then has.
struct Identity {
    external: bool,
    name: Option<String>,
}

/// Since `deprecated` (the minor version) `external.name` has a successor.
fn identity(key: &str, found: &Cursor<'_>, deprecated: bool, findings: &mut Findings) -> Identity {
    let name = named(found, "name");
    let Some(external) = found.get("external") else { return Identity { external: false, name } };
    let Yaml::Map(_) = external.yaml() else {
        let is_external = external.bool().unwrap_or(false);
        return Identity { external: is_external, name: name.or_else(|| is_external.then(|| key.to_owned())) };
    };
    let legacy = named(&external, "name");
    if legacy.is_some() && name.is_some() {
        findings.refuse(&external.place, "`external.name` and `name` contradict each other: keep `name` only");
    }
    if legacy.is_some() && deprecated {
        findings.warn(&external.place, "`external.name` is deprecated: write `external: true` and `name`");
    }
    Identity { external: true, name: legacy.or(name).or_else(|| Some(key.to_owned())) }
}

pub(super) fn network(key: &str, found: &Cursor<'_>, minor: u8, findings: &mut Findings) -> Network {
    let Identity { external, name } = identity(key, found, minor >= 5, findings);
    let ipam = found.some("ipam");
    let subnet = |pool: Cursor<'_>| text(&pool, "subnet");
    let subnets = ipam.as_ref().and_then(|ipam| ipam.get("config")).map(|pools| pools.items().map(subnet).collect());
    Network {
        name,
        external,
        driver: text(found, "driver"),
        driver_opts: dict(found, "driver_opts"),
        ipam_driver: ipam.map(|ipam| text(&ipam, "driver")).unwrap_or_default(),
        subnets: subnets.unwrap_or_default(),
        internal: flag(found, "internal"),
        attachable: flag(found, "attachable"),
        labels: dict(found, "labels"),
    }
}

pub(super) fn volume(key: &str, found: &Cursor<'_>, minor: u8, findings: &mut Findings) -> Volume {
    let Identity { external, name } = identity(key, found, minor >= 4, findings);
    let volume = Volume {
        name,
        external,
        driver: text(found, "driver"),
        driver_opts: found.some("driver_opts").map(|_| dict(found, "driver_opts")),
        labels: dict(found, "labels"),
    };
    if external {
        let says_nothing =
            |value: &Cursor<'_>| value.text() == Some("") || matches!(value.yaml(), Yaml::Map(map) if map.is_empty());
        let given = ["driver", "driver_opts", "labels"].into_iter().filter_map(|key| found.some(key));
        for given in given.filter(|given| !says_nothing(given)) {
            findings.refuse(&given.place, "an external volume is made elsewhere: remove this or `external`");
        }
    }
    volume
}

pub(super) fn file_object(
    key: &str,
    found: &Cursor<'_>,
    around: Surroundings<'_>,
    findings: &mut Findings,
) -> FileObject {
    let Identity { external, name } = identity(key, found, around.minor >= 5, findings);
    let driver = text(found, "driver");
    let file = found.get("file").filter(|_| !external);
    let file = match (&file, driver.is_empty()) {
        (Some(file), false) => {
            findings.refuse(&file.place, "`driver` and `file` exclude each other: the driver brings the content");
            None
        }
        (None, true) if !external && matches!(found.yaml(), Yaml::Map(_)) => {
            findings
                .refuse(&found.place, "`file` is missing: name the file with the content, or write `external: true`");
            None
        }
        (Some(file), true) => file.text().and_then(|path| {
            let value = findings.take(&file.place, around.base.join(path))?;
            Some(Placed { place: file.place.clone(), value })
        }),
        (None, _) => None,
    };
    FileObject {
        name,
        external,
        file,
        labels: dict(found, "labels"),
        driver,
        driver_opts: dict(found, "driver_opts"),
        template_driver: text(found, "template_driver"),
    }
}
