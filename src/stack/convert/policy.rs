//! How a service is run: mode, updates, restarts, resources, placement, logging.

use serde_json::Value;

use super::json::Json;
use crate::stack::findings::Findings;
use crate::stack::load::model::{Deploy, Logging, RestartPolicy, Service, Update};

pub(super) fn mode(service: &Service, findings: &mut Findings) -> Json {
    let Deploy { place, mode, replicas, .. } = &service.deploy;
    let place = place.as_ref().unwrap_or(&service.place);
    if replicas.is_some() && matches!(mode.as_str(), "global" | "global-job") {
        findings.refuse(place, format!("`replicas` does not fit the mode `{mode}`: remove one of them"));
    }
    match mode.as_str() {
        "" | "replicated" => Json::default().put("Replicated", Json::default().some("Replicas", *replicas)),
        "global" => Json::default().put("Global", Json::default()),
        "replicated-job" => {
            let job = Json::default().some("MaxConcurrent", *replicas).some("TotalCompletions", *replicas);
            Json::default().put("ReplicatedJob", job)
        }
        "global-job" => Json::default().put("GlobalJob", Json::default()),
        other => {
            let message = format!("`{other}` is no mode: use replicated, global, replicated-job or global-job");
            findings.refuse(place, message);
            Json::default()
        }
    }
}

/// Without a number the Engine would update all tasks at once; the docker command sends 1.
pub(super) fn update(update: &Update) -> Json {
    Json::default()
        .put("Parallelism", update.parallelism.unwrap_or(1))
        .number("Delay", update.delay)
        .text("FailureAction", &update.failure_action)
        .number("Monitor", update.monitor)
        .put("MaxFailureRatio", single_precision(update.max_failure_ratio))
        .text("Order", &update.order)
}

/// The Engine keeps ratios in 32 bits; the nearest such number, written shortly.
fn single_precision(ratio: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "that is the point")]
    let short = (ratio as f32).to_string();
    if ratio == 0.0 { Value::from(0) } else { short.parse::<f64>().map_or(Value::from(0), Value::from) }
}

pub(super) fn restart(service: &Service, findings: &mut Findings) -> Option<Json> {
    if let Some(policy) = &service.deploy.restart_policy {
        return Some(restart_policy(policy));
    }
    let restart = service.restart.as_ref()?;
    let (word, retries) = restart.value.split_once(':').map_or((&*restart.value, None), |(word, n)| (word, Some(n)));
    let any = |condition: &str| Json::default().put("Condition", condition);
    match (word, retries) {
        ("no", None) => None,
        ("always" | "unless-stopped", None) => Some(any("any")),
        ("on-failure", None) => Some(any("on-failure").put("MaxAttempts", 0)),
        ("on-failure", Some(retries)) if retries.parse::<u32>().is_ok() => {
            Some(any("on-failure").put("MaxAttempts", retries.parse::<u32>().unwrap_or_default()))
        }
        _ => {
            let found = &restart.value;
            let message =
                format!("`{found}` is no restart policy: use no, always, unless-stopped, on-failure or on-failure:N");
            findings.refuse(&restart.place, message);
            None
        }
    }
}

fn restart_policy(policy: &RestartPolicy) -> Json {
    Json::default()
        .text("Condition", &policy.condition)
        .some("Delay", policy.delay)
        .some("MaxAttempts", policy.max_attempts)
        .some("Window", policy.window)
}

/// `{}` and absent are two things to the Engine: each part stands there if the file has it.
pub(super) fn resources(deploy: &Deploy) -> Json {
    let limits = deploy.limits.as_ref().map(|limits| {
        Json::default()
            .number("NanoCPUs", limits.nano_cpus.unwrap_or_default())
            .number("MemoryBytes", limits.memory)
            .number("Pids", limits.pids)
    });
    let generic = |(kind, amount): &(String, i64)| {
        let discrete = Json::default().text("Kind", kind).number("Value", *amount);
        Json::default().put("DiscreteResourceSpec", discrete)
    };
    let reservations = deploy.reservations.as_ref().map(|reservations| {
        Json::default()
            .number("NanoCPUs", reservations.nano_cpus.unwrap_or_default())
            .number("MemoryBytes", reservations.memory)
            .list("GenericResources", reservations.generic.iter().map(generic))
    });
    Json::default().some("Limits", limits).some("Reservations", reservations)
}

pub(super) fn placement(deploy: &Deploy) -> Json {
    let spread = |descriptor: &String| {
        Json::default().put("Spread", Json::default().put("SpreadDescriptor", descriptor.as_str()))
    };
    Json::default()
        .list("Constraints", deploy.constraints.iter().map(String::as_str))
        .list("Preferences", deploy.preferences.iter().map(spread))
        .number("MaxReplicas", deploy.max_replicas)
}

pub(super) fn log_driver(logging: &Logging) -> Json {
    let options = logging.options.clone().unwrap_or_default();
    Json::default().text("Name", &logging.driver).strings("Options", &options)
}
