//! Several stack files to one, as `docker stack deploy -c a -c b` merges them: the later file is laid over the earlier.

use std::collections::BTreeMap;

use super::findings::{Findings, Placed};
use super::load::model::{
    Attachment, CredentialSpec, Deploy, Document, Healthcheck, Limits, Logging, Port, Reservations, RestartPolicy,
    Service, Strings, Update,
};

/// Lays a later file over what there is.
pub(crate) fn merge(base: &mut Document, over: Document, findings: &mut Findings) {
    base.networks.extend(over.networks);
    base.volumes.extend(over.volumes);
    base.secrets.extend(over.secrets);
    base.configs.extend(over.configs);
    for (name, over) in over.services {
        match base.services.get_mut(&name) {
            Some(base) => merge_service(base, over, findings),
            None => {
                base.services.insert(name, over);
            }
        }
    }
}

fn merge_service(base: &mut Service, over: Service, findings: &mut Findings) {
    some(&mut base.image, over.image.filter(|image| !image.value.is_empty()));
    list(&mut base.entrypoint, over.entrypoint);
    list(&mut base.command, over.command);
    text(&mut base.hostname, over.hostname);
    merge_environment(&mut base.environment, over.environment);
    text(&mut base.working_dir, over.working_dir);
    text(&mut base.user, over.user);
    text(&mut base.stop_signal, over.stop_signal);
    text(&mut base.isolation, over.isolation);
    some(&mut base.restart, over.restart);
    duration(&mut base.stop_grace_period, over.stop_grace_period);
    base.tty |= over.tty;
    base.stdin_open |= over.stdin_open;
    base.read_only |= over.read_only;
    if over.init == Some(true) {
        base.init = over.init;
    }
    base.extra_hosts.extend(over.extra_hosts);
    base.dns.extend(over.dns);
    base.dns_search.extend(over.dns_search);
    both(&mut base.healthcheck, over.healthcheck, merge_healthcheck);
    keyed(&mut base.mounts, over.mounts, |mount| mount.target.clone());
    keyed(&mut base.secrets, over.secrets, |secret| secret.source.clone());
    keyed(&mut base.configs, over.configs, |config| config.source.clone());
    both(&mut base.credential_spec, over.credential_spec, |base, over| {
        let CredentialSpec { config, file, registry } = over.value;
        text(&mut base.value.config, config);
        text(&mut base.value.file, file);
        text(&mut base.value.registry, registry);
    });
    base.sysctls.extend(over.sysctls);
    base.labels.extend(over.labels);
    base.cap_add.extend(over.cap_add);
    base.cap_drop.extend(over.cap_drop);
    base.ulimits.extend(over.ulimits);
    both(&mut base.logging, over.logging, merge_logging);
    merge_networks(&mut base.networks, over.networks);
    warn_of_lost_ports(base, &over.ports, findings);
    keyed(&mut base.ports, over.ports, |port| port.published);
    base.depends_on.extend(over.depends_on);
    merge_deploy(&mut base.deploy, over.deploy);
}

fn text(base: &mut String, over: String) {
    if !over.is_empty() {
        *base = over;
    }
}

fn list(base: &mut Vec<String>, over: Vec<String>) {
    if !over.is_empty() {
        *base = over;
    }
}

fn some<T>(base: &mut Option<T>, over: Option<T>) {
    if over.is_some() {
        *base = over;
    }
}

fn number<T: Default + PartialEq>(base: &mut T, over: T) {
    if over != T::default() {
        *base = over;
    }
}

/// A duration of zero overrides nothing.
fn duration(base: &mut Option<i64>, over: Option<i64>) {
    if base.is_none() || over.is_some_and(|over| over != 0) {
        some(base, over);
    }
}

fn both<T>(base: &mut Option<T>, over: Option<T>, merge: impl FnOnce(&mut T, T)) {
    match (base, over) {
        (Some(base), Some(over)) => merge(base, over),
        (base @ None, over) => *base = over,
        (Some(_), None) => (),
    }
}

/// A value that is empty wins only over one that is empty too.
fn merge_environment(base: &mut BTreeMap<String, Option<String>>, over: BTreeMap<String, Option<String>>) {
    let is_empty = |value: &Option<String>| value.as_ref().is_none_or(String::is_empty);
    for (name, value) in over {
        if !is_empty(&value) || base.get(&name).is_none_or(is_empty) {
            base.insert(name, value);
        }
    }
}

/// One entry per key, the later wins, in the order of the keys. Where the base has no entries the list is taken as it is.
fn keyed<T, K: Ord>(base: &mut Vec<T>, over: Vec<T>, key: impl Fn(&T) -> K) {
    if base.is_empty() {
        *base = over;
        return;
    }
    let entries = std::mem::take(base).into_iter().chain(over).map(|entry| (key(&entry), entry));
    *base = entries.collect::<BTreeMap<_, _>>().into_values().collect();
}

/// Merging keeps one port per published number, so `53:53/tcp` is lost beside `53:53/udp`.
fn warn_of_lost_ports(base: &Service, over: &[Port], findings: &mut Findings) {
    if base.ports.is_empty() {
        return;
    }
    for ports in [&base.ports, over] {
        let last: BTreeMap<u32, usize> =
            ports.iter().enumerate().map(|(index, port)| (port.published, index)).collect();
        for (index, port) in ports.iter().enumerate() {
            let Port { protocol, target, published, .. } = port;
            if last.get(published).is_some_and(|last| *last != index && ports[*last] != *port) {
                let message = format!(
                    "the port {published}:{target}/{protocol} is lost: where a service stands in several files, only \
                     the last of the ports with the same published number is kept"
                );
                findings.warn(&base.place, message);
            }
        }
    }
}

fn merge_networks(
    base: &mut BTreeMap<String, Placed<Option<Attachment>>>,
    over: BTreeMap<String, Placed<Option<Attachment>>>,
) {
    for (name, over) in over {
        match base.get_mut(&name) {
            None => {
                base.insert(name, over);
            }
            Some(base) => both(&mut base.value, over.value, |base, over| base.aliases = over.aliases),
        }
    }
}

fn merge_healthcheck(base: &mut Healthcheck, over: Healthcheck) {
    base.test.extend(over.test);
    duration(&mut base.interval, over.interval);
    duration(&mut base.timeout, over.timeout);
    duration(&mut base.start_period, over.start_period);
    duration(&mut base.start_interval, over.start_interval);
    some(&mut base.retries, over.retries);
    base.disable |= over.disable;
}

/// Options meet only where both files mean the same driver.
fn merge_logging(base: &mut Logging, over: Logging) {
    if !base.driver.is_empty() && !over.driver.is_empty() && base.driver != over.driver {
        *base = over;
        return;
    }
    text(&mut base.driver, over.driver);
    if let (Some(base), Some(over)) = (&mut base.options, over.options) {
        base.extend::<Strings>(over);
    }
}

fn merge_deploy(base: &mut Deploy, over: Deploy) {
    some(&mut base.place, over.place);
    text(&mut base.mode, over.mode);
    some(&mut base.replicas, over.replicas);
    base.labels.extend(over.labels);
    both(&mut base.update, over.update, merge_update);
    both(&mut base.rollback, over.rollback, merge_update);
    both(&mut base.limits, over.limits, |base, over| {
        let Limits { nano_cpus, memory, pids } = over;
        some(&mut base.nano_cpus, nano_cpus);
        number(&mut base.memory, memory);
        number(&mut base.pids, pids);
    });
    both(&mut base.reservations, over.reservations, |base, over| {
        let Reservations { nano_cpus, memory, generic } = over;
        some(&mut base.nano_cpus, nano_cpus);
        number(&mut base.memory, memory);
        base.generic.extend(generic);
    });
    both(&mut base.restart_policy, over.restart_policy, |base, over| {
        let RestartPolicy { condition, delay, max_attempts, window } = over;
        text(&mut base.condition, condition);
        duration(&mut base.delay, delay);
        some(&mut base.max_attempts, max_attempts);
        duration(&mut base.window, window);
    });
    base.constraints.extend(over.constraints);
    base.preferences.extend(over.preferences);
    number(&mut base.max_replicas, over.max_replicas);
    text(&mut base.endpoint_mode, over.endpoint_mode);
}

fn merge_update(base: &mut Update, over: Update) {
    some(&mut base.parallelism, over.parallelism);
    number(&mut base.delay, over.delay);
    text(&mut base.failure_action, over.failure_action);
    number(&mut base.monitor, over.monitor);
    number(&mut base.max_failure_ratio, over.max_failure_ratio);
    text(&mut base.order, over.order);
}

#[cfg(test)]
mod tests;
