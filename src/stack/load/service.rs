//! A service.

use std::collections::BTreeMap;

use super::model::{Attachment, CredentialSpec, Healthcheck, Image, Logging, Port, Reference, Service, Ulimit};
use super::ports::Short;
use super::values::{count, dict, duration, flag, named, text, text_or_texts, texts};
use super::{Surroundings, deploy, environment, mounts, words};
use crate::stack::findings::{Findings, Placed};
use crate::stack::yaml::{Cursor, Yaml};

pub(super) fn load(service: &Cursor<'_>, around: Surroundings<'_>, findings: &mut Findings) -> Service {
    Service {
        place: service.place.clone(),
        image: image(service),
        entrypoint: command(service, "entrypoint", findings),
        command: command(service, "command", findings),
        hostname: text(service, "hostname"),
        environment: environment::load(service, around, findings),
        working_dir: text(service, "working_dir"),
        user: text(service, "user"),
        stop_signal: text(service, "stop_signal"),
        isolation: text(service, "isolation"),
        restart: placed(service, "restart"),
        stop_grace_period: duration(service, "stop_grace_period"),
        tty: flag(service, "tty"),
        stdin_open: flag(service, "stdin_open"),
        read_only: flag(service, "read_only"),
        init: service.get("init").and_then(|init| init.bool()),
        extra_hosts: extra_hosts(service, findings),
        dns: text_or_texts(service, "dns"),
        dns_search: text_or_texts(service, "dns_search"),
        healthcheck: service.some("healthcheck").map(|found| healthcheck(&found, findings)),
        mounts: mounts::load(service, around, findings),
        secrets: references(service, "secrets", findings),
        configs: references(service, "configs", findings),
        credential_spec: credential_spec(service),
        sysctls: dict(service, "sysctls"),
        labels: dict(service, "labels"),
        cap_add: texts(service, "cap_add"),
        cap_drop: texts(service, "cap_drop"),
        ulimits: ulimits(service, findings),
        logging: service.some("logging").map(|found| logging(&found)),
        networks: networks(service),
        ports: published(service, findings),
        depends_on: depends_on(service),
        deploy: service.some("deploy").map(|found| deploy::load(&found, findings)).unwrap_or_default(),
    }
}

fn placed(service: &Cursor<'_>, key: &str) -> Option<Placed<String>> {
    let place = service.get(key)?.place;
    named(service, key).map(|value| Placed { place, value })
}

fn image(service: &Cursor<'_>) -> Option<Placed<Image>> {
    let found = service.get("image")?;
    let value = if found.is_broken() { Image::Broken } else { Image::Named(found.text()?.to_owned()) };
    Some(Placed { place: found.place, value })
}

fn command(service: &Cursor<'_>, key: &str, findings: &mut Findings) -> Vec<String> {
    match service.get(key) {
        Some(found) if found.text().is_some() => {
            found.text().and_then(|text| findings.take(&found.place, words::split(text))).unwrap_or_default()
        }
        _ => texts(service, key),
    }
}

/// `host:ip` each, in the order of the list or sorted.
fn extra_hosts(service: &Cursor<'_>, findings: &mut Findings) -> Vec<String> {
    let Some(found) = service.get("extra_hosts") else { return Vec::new() };
    let bare = |address: &str| {
        let inside = address.strip_prefix('[').and_then(|address| address.strip_suffix(']'));
        inside.unwrap_or(address).to_owned()
    };
    let mut hosts = Vec::new();
    for item in found.items() {
        let Some(text) = item.text() else { continue };
        match text.split_once('=').or_else(|| text.split_once(':')) {
            Some((host, address)) => hosts.push(format!("{host}:{}", bare(address))),
            None => findings.refuse(&item.place, format!("`{text}` names no address: write `host:address`")),
        }
    }
    for (host, address) in found.entries() {
        hosts.extend(address.text().map(|address| format!("{host}:{}", bare(address))));
    }
    if matches!(found.yaml(), Yaml::Map(_)) {
        hosts.sort();
    }
    hosts
}

fn healthcheck(found: &Cursor<'_>, findings: &mut Findings) -> Healthcheck {
    let test = match found.get("test") {
        Some(test) if test.text().is_some() => vec!["CMD-SHELL".to_owned(), text(found, "test")],
        _ => texts(found, "test"),
    };
    Healthcheck {
        test,
        interval: duration(found, "interval"),
        timeout: duration(found, "timeout"),
        start_period: duration(found, "start_period"),
        start_interval: duration(found, "start_interval"),
        retries: count(found, "retries", findings),
        disable: flag(found, "disable"),
    }
}

/// Secrets or configs that the service uses.
fn references(service: &Cursor<'_>, key: &str, findings: &mut Findings) -> Vec<Reference> {
    let Some(list) = service.get(key) else { return Vec::new() };
    let mut references = Vec::new();
    for item in list.items().filter(|item| !item.is_broken()) {
        let source = item.text().map_or_else(|| text(&item, "source"), str::to_owned);
        if source.is_empty() {
            if item.get("source").is_none_or(|source| !source.is_broken()) {
                findings.refuse(&item.place, "`source` is missing: name an entry of the same section at the top level");
            }
            continue;
        }
        let mode = count(&item, "mode", findings).and_then(|mode| {
            let mode = u32::try_from(mode).map_err(|_| "is too large for a file mode".to_owned());
            findings.take(&item.place, mode)
        });
        references.push(Reference {
            place: item.place.clone(),
            source,
            target: text(&item, "target"),
            uid: text(&item, "uid"),
            gid: text(&item, "gid"),
            mode,
        });
    }
    references
}

fn credential_spec(service: &Cursor<'_>) -> Option<Placed<CredentialSpec>> {
    let found = service.some("credential_spec")?;
    let value = CredentialSpec {
        config: text(&found, "config"),
        file: text(&found, "file"),
        registry: text(&found, "registry"),
    };
    Some(Placed { place: found.place, value })
}

fn ulimits(service: &Cursor<'_>, findings: &mut Findings) -> BTreeMap<String, Ulimit> {
    let Some(found) = service.get("ulimits") else { return BTreeMap::new() };
    let mut limits = BTreeMap::new();
    for (name, limit) in found.entries() {
        let mut number = |value: Option<Cursor<'_>>| {
            let value = value?;
            findings.take(&value.place, i64::try_from(value.int()?).map_err(|_| "is too large".to_owned()))
        };
        let (soft, hard) = if let Yaml::Map(_) = limit.yaml() {
            (number(limit.get("soft")), number(limit.get("hard")))
        } else {
            let single = number(Some(limit));
            (single, single)
        };
        limits.insert(name.to_owned(), Ulimit { soft: soft.unwrap_or_default(), hard: hard.unwrap_or_default() });
    }
    limits
}

fn logging(found: &Cursor<'_>) -> Logging {
    Logging { driver: text(found, "driver"), options: found.some("options").map(|_| dict(found, "options")) }
}

fn networks(service: &Cursor<'_>) -> BTreeMap<String, Placed<Option<Attachment>>> {
    let Some(found) = service.get("networks") else { return BTreeMap::new() };
    let mut networks = BTreeMap::new();
    for item in found.items() {
        if let Some(name) = item.text() {
            networks.insert(name.to_owned(), Placed { place: item.place, value: None });
        }
    }
    for (name, settings) in found.entries() {
        let attachment = (!settings.is_null())
            .then(|| Attachment { aliases: texts(&settings, "aliases"), driver_opts: dict(&settings, "driver_opts") });
        networks.insert(name.to_owned(), Placed { place: settings.place, value: attachment });
    }
    networks
}

fn published(service: &Cursor<'_>, findings: &mut Findings) -> Vec<Port> {
    let Some(list) = service.get("ports") else { return Vec::new() };
    let mut all = Vec::new();
    for item in list.items() {
        if let Yaml::Map(_) = item.yaml() {
            if findings.take_ports(&item.place, 1) {
                all.extend(long_port(&item, findings));
            }
            continue;
        }
        // What cannot be read was reported by the schema.
        let Some(Ok(short)) = item.yaml().to_words().map(|spec| Short::read(&spec)) else { continue };
        if findings.take_ports(&item.place, short.count()) {
            all.extend(short.ports());
        }
        if let Some(address) = short.ignored_address {
            let message =
                format!("Swarm ignores the address {address}: the port is open on every address of every node");
            findings.warn(&item.place, message);
        }
    }
    all
}

fn long_port(item: &Cursor<'_>, findings: &mut Findings) -> Option<Port> {
    let mut number = |key: &str| {
        let Some(value) = item.get(key) else { return Some(0) };
        let port = u16::try_from(value.int()?).map_err(|_| "is no port: use 1 to 65535".to_owned());
        findings.take(&value.place, port).map(u32::from)
    };
    let (target, published) = (number("target"), number("published"));
    if item.get("target").is_none() {
        findings.refuse(&item.place, "`target` is missing: name the port of the container");
    }
    Some(Port { mode: text(item, "mode"), protocol: text(item, "protocol"), target: target?, published: published? })
}

fn depends_on(service: &Cursor<'_>) -> Vec<Placed<String>> {
    let Some(list) = service.get("depends_on") else { return Vec::new() };
    list.items()
        .filter_map(|item| item.text().map(|name| Placed { place: item.place.clone(), value: name.to_owned() }))
        .collect()
}
