//! The tables of the stack file's schema, versions 3.0 to 3.13 in one: a key says which version brought it.

use super::{Key, Others, Rule};

/// Keys of a service that stop everything, with what to use instead.
pub(super) const FORBIDDEN: &[(&str, &str)] = &[
    ("extends", "use YAML anchors and merge keys, or several stack files"),
    ("volume_driver", "give the driver under the top-level `volumes`"),
    ("volumes_from", "name a volume and mount it in both services"),
    ("cpu_quota", "use `deploy.resources.limits.cpus`"),
    ("cpu_shares", "use `deploy.resources.reservations.cpus`"),
    ("cpuset", "use `deploy.resources.limits.cpus`"),
    ("mem_limit", "use `deploy.resources.limits.memory`"),
    ("memswap_limit", "use `deploy.resources.limits.memory`"),
];

/// Keys of a service that have no effect, with what to know about it. `depends_on` is none of them: it is honoured.
pub(super) const IGNORED: &[(&str, &str)] = &[
    ("build", ": it runs images that are already in a registry"),
    ("cgroupns_mode", ""),
    ("cgroup_parent", ""),
    ("container_name", ": it names the containers itself"),
    ("devices", ""),
    ("domainname", ""),
    ("expose", ": services on the same network reach each other on any port"),
    ("external_links", ": put both services on the same network"),
    ("ipc", ""),
    ("links", ": services on the same network reach each other by name"),
    ("mac_address", ""),
    ("network_mode", ": for the host's network use an external network named `host`"),
    ("oom_score_adj", ""),
    ("pid", ""),
    ("privileged", ": grant single capabilities with `cap_add`"),
    ("security_opt", ""),
    ("shm_size", ": mount a tmpfs at /dev/shm under `volumes`"),
    ("tmpfs", ": use a volume of type tmpfs"),
    ("userns_mode", ""),
];

const fn key(name: &'static str, since: u8, rule: Rule) -> Key {
    Key { name, since, required: false, rule }
}

const fn required(name: &'static str, rule: Rule) -> Key {
    Key { name, since: 0, required: true, rule }
}

use Others::{Extensions, Refused, Taken};
use Rule::{
    Bool, Dict, Duration, Hosts, Int, Keys, List, Map, Number, NumberOrText, NumbersOrTexts, OrBool, OrInt, OrNull,
    OrText, OrTexts, Port, Scalars, Text, TextOrNull, TextOrTexts, Texts, Unique,
};

pub(super) static ROOT: Rule = Keys(
    &[
        key("version", 0, Text),
        key("services", 0, Map(true, &Keys(SERVICE, Extensions(7)))),
        key("networks", 0, Map(false, &OrNull(&Keys(NETWORK, Extensions(7))))),
        key("volumes", 0, Map(true, &OrNull(&Keys(VOLUME, Extensions(7))))),
        key("secrets", 1, Map(true, &Keys(SECRET, Extensions(7)))),
        key("configs", 3, Map(true, &Keys(CONFIG, Extensions(7)))),
    ],
    Extensions(4),
);

const SERVICE: &[Key] = &[
    key("build", 0, OrText(&Keys(&[], Taken))),
    key("cap_add", 0, Texts(true)),
    key("cap_drop", 0, Texts(true)),
    key("cgroup_parent", 0, Text),
    key("cgroupns_mode", 9, Text),
    key("command", 0, OrText(&Texts(false))),
    key("configs", 3, List(&OrText(&Keys(REFERENCE, Taken)))),
    key("container_name", 0, Text),
    key("credential_spec", 3, Keys(CREDENTIAL_SPEC, Refused)),
    key("depends_on", 0, Texts(true)),
    key("deploy", 0, OrNull(&Keys(DEPLOY, Refused))),
    key("devices", 0, Texts(true)),
    key("dns", 0, TextOrTexts),
    key("dns_search", 0, TextOrTexts),
    key("domainname", 0, Text),
    key("entrypoint", 0, OrText(&Texts(false))),
    key("env_file", 0, TextOrTexts),
    key("environment", 0, Dict),
    key("expose", 0, NumbersOrTexts),
    key("external_links", 0, Texts(true)),
    key("extra_hosts", 0, Hosts),
    key("healthcheck", 0, Keys(HEALTHCHECK, Refused)),
    key("hostname", 0, Text),
    key("image", 0, Text),
    key("init", 7, Bool),
    key("ipc", 0, Text),
    key("isolation", 5, Text),
    key("labels", 0, Dict),
    key("links", 0, Texts(true)),
    key("logging", 0, Keys(&[key("driver", 0, Text), key("options", 0, Scalars(true))], Refused)),
    key("mac_address", 0, Text),
    key("network_mode", 0, Text),
    key("networks", 0, OrTexts(&Map(false, &OrNull(&Keys(ATTACHMENT, Refused))))),
    key("oom_score_adj", 13, Int),
    key("pid", 0, TextOrNull),
    key("ports", 0, Unique(&Port(&Keys(PORT, Refused)))),
    key("privileged", 0, Bool),
    key("read_only", 0, Bool),
    key("restart", 0, Text),
    key("secrets", 1, List(&OrText(&Keys(REFERENCE, Taken)))),
    key("security_opt", 0, Texts(true)),
    key("shm_size", 0, NumberOrText),
    key("stdin_open", 0, Bool),
    key("stop_grace_period", 0, Duration),
    key("stop_signal", 0, Text),
    key("sysctls", 0, Dict),
    key("tmpfs", 0, TextOrTexts),
    key("tty", 0, Bool),
    key("ulimits", 0, Map(true, &OrInt(&Keys(&[required("hard", Int), required("soft", Int)], Refused)))),
    key("user", 0, Text),
    key("userns_mode", 0, Text),
    key("volumes", 0, List(&OrText(&Keys(MOUNT, Refused)))),
    key("working_dir", 0, Text),
];

const CREDENTIAL_SPEC: &[Key] = &[key("config", 8, Text), key("file", 0, Text), key("registry", 0, Text)];

const REFERENCE: &[Key] =
    &[key("source", 0, Text), key("target", 0, Text), key("uid", 0, Text), key("gid", 0, Text), key("mode", 0, Number)];

const PORT: &[Key] = &[key("mode", 2, Text), key("target", 2, Int), key("published", 2, Int), key("protocol", 2, Text)];

const MOUNT: &[Key] = &[
    required("type", Text),
    key("source", 2, Text),
    key("target", 2, Text),
    key("read_only", 2, Bool),
    key("consistency", 2, Text),
    key("bind", 2, Keys(&[key("propagation", 0, Text)], Taken)),
    key("volume", 2, Keys(&[key("nocopy", 0, Bool)], Taken)),
    key("tmpfs", 2, Keys(&[key("size", 6, Int)], Taken)),
];

const ATTACHMENT: &[Key] = &[
    key("aliases", 0, Texts(true)),
    key("driver_opts", 13, Scalars(false)),
    key("ipv4_address", 0, Text),
    key("ipv6_address", 0, Text),
];

const HEALTHCHECK: &[Key] = &[
    key("disable", 0, Bool),
    key("interval", 0, Duration),
    key("retries", 0, Number),
    key("start_interval", 12, Duration),
    key("start_period", 4, Duration),
    key("test", 0, OrText(&Texts(false))),
    key("timeout", 0, Duration),
];

const DEPLOY: &[Key] = &[
    key("mode", 0, Text),
    key("endpoint_mode", 2, Text),
    key("replicas", 0, Int),
    key("labels", 0, Dict),
    key("rollback_config", 7, Keys(UPDATE, Refused)),
    key("update_config", 0, Keys(UPDATE, Refused)),
    key("resources", 0, Keys(RESOURCES, Refused)),
    key("restart_policy", 0, Keys(RESTART_POLICY, Refused)),
    key("placement", 0, Keys(PLACEMENT, Refused)),
];

const UPDATE: &[Key] = &[
    key("parallelism", 0, Int),
    key("delay", 0, Duration),
    key("failure_action", 0, Text),
    key("monitor", 0, Duration),
    key("max_failure_ratio", 0, Number),
    key("order", 4, Text),
];

const RESOURCES: &[Key] = &[
    key("limits", 0, Keys(&[key("cpus", 0, Text), key("memory", 0, Text), key("pids", 9, Int)], Refused)),
    key(
        "reservations",
        0,
        Keys(
            &[
                key("cpus", 0, Text),
                key("memory", 0, Text),
                key("generic_resources", 5, List(&Keys(GENERIC_RESOURCE, Refused))),
            ],
            Refused,
        ),
    ),
];

const GENERIC_RESOURCE: &[Key] =
    &[key("discrete_resource_spec", 0, Keys(&[key("kind", 0, Text), key("value", 0, Number)], Refused))];

const RESTART_POLICY: &[Key] =
    &[key("condition", 0, Text), key("delay", 0, Duration), key("max_attempts", 0, Int), key("window", 0, Duration)];

const PLACEMENT: &[Key] = &[
    key("constraints", 0, Texts(false)),
    key("preferences", 3, List(&Keys(&[key("spread", 0, Text)], Refused))),
    key("max_replicas_per_node", 8, Int),
];

const EXTERNAL: Rule = OrBool(&Keys(&[key("name", 0, Text)], Refused));

const NETWORK: &[Key] = &[
    key("name", 5, Text),
    key("driver", 0, Text),
    key("driver_opts", 0, Scalars(false)),
    key(
        "ipam",
        0,
        Keys(&[key("driver", 0, Text), key("config", 0, List(&Keys(&[key("subnet", 0, Text)], Refused)))], Refused),
    ),
    key("external", 0, EXTERNAL),
    key("internal", 0, Bool),
    key("attachable", 2, Bool),
    key("labels", 0, Dict),
];

const VOLUME: &[Key] = &[
    key("name", 4, Text),
    key("driver", 0, Text),
    key("driver_opts", 0, Scalars(false)),
    key("external", 0, EXTERNAL),
    key("labels", 0, Dict),
    key("x-cluster-spec", 10, Keys(&[], Taken)),
];

const SECRET: &[Key] = &[
    key("name", 5, Text),
    key("file", 0, Text),
    key("external", 0, EXTERNAL),
    key("labels", 0, Dict),
    key("driver", 8, Text),
    key("driver_opts", 8, Scalars(false)),
    key("template_driver", 8, Text),
];

const CONFIG: &[Key] = &[
    key("name", 5, Text),
    key("file", 0, Text),
    key("external", 0, EXTERNAL),
    key("labels", 0, Dict),
    key("template_driver", 8, Text),
];
