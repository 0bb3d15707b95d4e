//! The container of a service: `TaskTemplate.ContainerSpec`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::files::{Kind, references};
use super::json::Json;
use super::{Context, mounts};
use crate::stack::findings::{Findings, Placed};
use crate::stack::load::model::{CredentialSpec, Healthcheck, Service};

pub(super) fn spec(context: Context<'_>, key: &str, service: &Service, image: &str, findings: &mut Findings) -> Value {
    let (added, dropped) = capabilities(&service.cap_add, &service.cap_drop);
    let credentials = service.credential_spec.as_ref().and_then(|spec| credential_spec(context, spec, findings));
    let ulimit = |(name, limit): (&String, &crate::stack::load::model::Ulimit)| {
        Json::default().put("Name", name.as_str()).put("Soft", limit.soft).put("Hard", limit.hard)
    };
    Json::default()
        .put("Image", image)
        .put("Labels", context.labels(&service.labels))
        .list("Command", service.entrypoint.iter().map(String::as_str))
        .list("Args", service.command.iter().map(String::as_str))
        .text("Hostname", &service.hostname)
        .list("Env", environment(service))
        .text("Dir", &service.working_dir)
        .text("User", &service.user)
        .put("Privileges", Json::default().some("CredentialSpec", credentials))
        .some("Init", service.init)
        .text("StopSignal", &service.stop_signal)
        .some("StopGracePeriod", service.stop_grace_period)
        .flag("TTY", service.tty)
        .flag("OpenStdin", service.stdin_open)
        .flag("ReadOnly", service.read_only)
        .list("Mounts", mounts::convert(context, service, findings))
        .some("Healthcheck", service.healthcheck.as_ref().map(|found| healthcheck(found, service, findings)))
        .list("Hosts", service.extra_hosts.iter().map(|host| hosts_line(host)))
        .some("DNSConfig", dns(service))
        .list("Secrets", references(context, Kind::Secret, key, service, findings))
        .list("Configs", references(context, Kind::Config, key, service, findings))
        .text("Isolation", &service.isolation)
        .strings("Sysctls", &service.sysctls)
        .list("CapabilityAdd", added)
        .list("CapabilityDrop", dropped)
        .list("Ulimits", service.ulimits.iter().map(ulimit))
        .into()
}

/// `NAME=value`, or the bare name of a variable without a value.
fn environment(service: &Service) -> Vec<String> {
    let line = |(name, value): (&String, &Option<String>)| match value {
        Some(value) => format!("{name}={value}"),
        None => name.clone(),
    };
    let mut lines: Vec<String> = service.environment.iter().map(line).collect();
    lines.sort();
    lines
}

/// `host:ip` as a line of a hosts file.
fn hosts_line(host: &str) -> String {
    host.split_once(':').map_or_else(|| host.to_owned(), |(name, address)| format!("{address} {name}"))
}

fn dns(service: &Service) -> Option<Json> {
    if service.dns.is_empty() && service.dns_search.is_empty() {
        return None;
    }
    let texts = |list: &[String]| list.to_vec();
    Some(Json::default().list("Nameservers", texts(&service.dns)).list("Search", texts(&service.dns_search)))
}

fn healthcheck(check: &Healthcheck, service: &Service, findings: &mut Findings) -> Json {
    if check.disable {
        if !check.test.is_empty() {
            let place = service.place.below("healthcheck", 0);
            findings.refuse(&place, "`test` and `disable` exclude each other: remove one");
        }
        return Json::default().list("Test", ["NONE"]);
    }
    Json::default()
        .list("Test", check.test.iter().map(String::as_str))
        .number("Interval", check.interval.unwrap_or_default())
        .number("Timeout", check.timeout.unwrap_or_default())
        .number("StartPeriod", check.start_period.unwrap_or_default())
        .number("StartInterval", check.start_interval.unwrap_or_default())
        .number("Retries", check.retries.unwrap_or_default())
}

/// What is granted and what is taken away, in the Engine's names.
fn capabilities(add: &[String], drop: &[String]) -> (Vec<String>, Vec<String>) {
    let names = |given: &[String]| {
        let names: BTreeSet<String> = given.iter().map(|name| capability(name)).collect();
        if names.contains("ALL") { BTreeSet::from(["ALL".to_owned()]) } else { names }
    };
    let (add, mut drop) = (names(add), names(drop));
    drop.retain(|name| !add.contains(name));
    let kept = |names: BTreeSet<String>| names.into_iter().filter(|name| name != "RESET").collect();
    (kept(add), kept(drop))
}

fn capability(name: &str) -> String {
    let name = name.trim().to_uppercase();
    if name == "ALL" || name == "RESET" || name.starts_with("CAP_") { name } else { format!("CAP_{name}") }
}

/// A config is named here, as in `Configs`; the Engine wants its id in its place.
fn credential_spec(context: Context<'_>, spec: &Placed<CredentialSpec>, findings: &mut Findings) -> Option<Json> {
    let CredentialSpec { config, file, registry } = &spec.value;
    match [config, file, registry].into_iter().filter(|given| !given.is_empty()).count() {
        0 => return None,
        1 => (),
        _ => findings.refuse(&spec.place, "only one of `config`, `file` and `registry` can be given"),
    }
    let config = match context.document.configs.get(config) {
        Some(found) => context.named(config, found.name.as_ref()),
        None => config.clone(),
    };
    Some(Json::default().text("Config", &config).text("File", file).text("Registry", registry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(add: &[&str], drop: &[&str], expected: (&[&str], &[&str])) {
        let own = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(capabilities(&own(add), &own(drop)), (own(expected.0), own(expected.1)));
    }

    #[test]
    fn capabilities_are_named_sorted_and_unique() {
        check(&["net_admin", "CAP_CHOWN", " NET_ADMIN "], &[], (&["CAP_CHOWN", "CAP_NET_ADMIN"], &[]));
    }

    #[test]
    fn all_stands_for_every_capability() {
        check(&["all", "chown"], &["NET_ADMIN"], (&["ALL"], &["CAP_NET_ADMIN"]));
        check(&["chown"], &["ALL"], (&["CAP_CHOWN"], &["ALL"]));
    }

    #[test]
    fn what_is_granted_is_not_taken_away() {
        check(&["chown"], &["CHOWN", "kill", "RESET"], (&["CAP_CHOWN"], &["CAP_KILL"]));
    }
}
