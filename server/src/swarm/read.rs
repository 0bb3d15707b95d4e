//! The Engine's JSON, read into the core's words. What the core does not know stays in the spec or is passed over: an
//! unknown member or word never makes an answer unreadable.

use std::collections::BTreeMap;

use release_manager::engine::{LiveService, NAMESPACE_LABEL, Node, Task, UpdateStatus};
use serde_json::Value;

/// The element of an answer that is not as it must be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing(pub(super) String);

/// Every element of a list.
pub(super) fn list<T>(what: &str, answer: &Value, read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, Missing> {
    // An Engine in Go writes an empty list as `null` now and then.
    if answer.is_null() {
        return Ok(Vec::new());
    }
    let elements = answer.as_array().ok_or_else(|| Missing(format!("the {what}s are no list")))?;
    let read = |element: &Value| {
        let id = text(element, "/ID").unwrap_or("without an id");
        read(element).ok_or_else(|| Missing(format!("{what} {id} lacks its id, name or version")))
    };
    elements.iter().map(read).collect()
}

/// A service, by its full name.
pub(super) fn service(answer: &Value) -> Option<(String, LiveService)> {
    let spec = answer.get("Spec")?.clone();
    let name = text(&spec, "/Name")?.to_owned();
    let job = answer.get("JobStatus").filter(|status| status.is_object());
    let service = LiveService {
        id: text(answer, "/ID")?.to_owned(),
        version: answer.pointer("/Version/Index")?.as_u64()?,
        update: answer.get("UpdateStatus").and_then(update),
        // The first iteration is 0, which the Engine leaves out.
        job_iteration: job.map(|status| number(status, "/JobIteration/Index").unwrap_or(0)),
        desired_tasks: number(answer, "/ServiceStatus/DesiredTasks").unwrap_or(0),
        spec,
    };
    Some((name, service))
}

fn update(status: &Value) -> Option<UpdateStatus> {
    Some(UpdateStatus {
        state: text(status, "/State")?.to_owned(),
        started_at: owned(status, "/StartedAt"),
        message: owned(status, "/Message").unwrap_or_default(),
    })
}

/// Whether a service carries the stack's label.
pub(super) fn belongs_to(spec: &Value, stack: &str) -> bool {
    spec.get("Labels").and_then(|labels| labels.get(NAMESPACE_LABEL)).and_then(Value::as_str) == Some(stack)
}

/// The ports of a service that it publishes in this mode (`ingress`, `host`), as `8080/tcp`: those that it has, or else
/// those that it asks for.
pub(super) fn ports(answer: &Value, mode: &str) -> Vec<String> {
    let listed = |at: &str| answer.pointer(at).and_then(Value::as_array).filter(|ports| !ports.is_empty());
    let mut found: Vec<String> = listed("/Endpoint/Ports")
        .or_else(|| listed("/Spec/EndpointSpec/Ports"))
        .into_iter()
        .flatten()
        .filter(|port| text(port, "/PublishMode").unwrap_or("ingress") == mode)
        .filter_map(|port| {
            let published = number(port, "/PublishedPort").filter(|published| *published != 0)?;
            Some(format!("{published}/{}", text(port, "/Protocol").unwrap_or("tcp")))
        })
        .collect();
    found.sort();
    found
}

/// A task.
pub(super) fn task(answer: &Value) -> Option<Task> {
    let state = text(answer, "/Status/State")?.to_owned();
    let ended = matches!(&*state, "complete" | "failed" | "shutdown");
    let container = text(answer, "/Status/ContainerStatus/ContainerID").filter(|id| !id.is_empty());
    let job = answer.get("JobIteration").filter(|iteration| iteration.is_object());
    Some(Task {
        id: text(answer, "/ID")?.to_owned(),
        service_id: owned(answer, "/ServiceID").unwrap_or_default(),
        slot: number(answer, "/Slot").filter(|slot| *slot != 0),
        node_id: owned(answer, "/NodeID"),
        desired_state: owned(answer, "/DesiredState").unwrap_or_default(),
        state_since: owned(answer, "/Status/Timestamp"),
        message: owned(answer, "/Status/Message").unwrap_or_default(),
        error: owned(answer, "/Status/Err"),
        // The Engine shows 0 also while the container runs, and where there never was one.
        exit_code: container
            .filter(|_| ended)
            .map(|_| answer.pointer("/Status/ContainerStatus/ExitCode").and_then(Value::as_i64).unwrap_or(0)),
        job_iteration: job.map(|iteration| number(iteration, "/Index").unwrap_or(0)),
        state,
    })
}

/// A node.
pub(super) fn node(answer: &Value) -> Option<Node> {
    let integer = |at: &str| answer.pointer(at).and_then(Value::as_i64).unwrap_or(0);
    let word = |at: &str| owned(answer, at).unwrap_or_default();
    Some(Node {
        id: text(answer, "/ID")?.to_owned(),
        hostname: word("/Description/Hostname"),
        role: word("/Spec/Role"),
        state: word("/Status/State"),
        availability: word("/Spec/Availability"),
        labels: labels(answer, "/Spec/Labels"),
        engine_labels: labels(answer, "/Description/Engine/Labels"),
        os: word("/Description/Platform/OS"),
        architecture: word("/Description/Platform/Architecture"),
        nano_cpus: integer("/Description/Resources/NanoCPUs"),
        memory_bytes: integer("/Description/Resources/MemoryBytes"),
    })
}

fn labels(answer: &Value, at: &str) -> BTreeMap<String, String> {
    let members = answer.pointer(at).and_then(Value::as_object).into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// A text that is there and not empty.
pub(super) fn text<'a>(answer: &'a Value, at: &str) -> Option<&'a str> {
    answer.pointer(at).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn owned(answer: &Value, at: &str) -> Option<String> {
    text(answer, at).map(str::to_owned)
}

fn number(answer: &Value, at: &str) -> Option<u64> {
    answer.pointer(at).and_then(Value::as_u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_words_and_members_are_kept_or_passed_over() {
        let answer = json!({
            "ID": "s1", "Version": {"Index": 7, "Epoch": 1}, "Sidecars": [],
            "Spec": {"Name": "a_web", "TaskTemplate": {"Teleport": {"To": "moon"}}},
            "UpdateStatus": {"State": "meditating"},
        });
        let (name, service) = service(&answer).unwrap();
        assert_eq!((&*name, service.version), ("a_web", 7));
        assert_eq!(service.spec, answer["Spec"]);
        assert_eq!(service.update.unwrap().state, "meditating");
    }

    #[test]
    fn an_exit_code_is_that_of_a_container_that_has_ended() {
        let code = |state: &str, container: &str| {
            let status = json!({"State": state, "ContainerStatus": {"ContainerID": container, "ExitCode": 0}});
            task(&json!({"ID": "t", "Status": status})).unwrap().exit_code
        };
        assert_eq!(code("running", "c"), None);
        assert_eq!(code("rejected", ""), None);
        assert_eq!(code("complete", "c"), Some(0));
    }

    #[test]
    fn the_first_iteration_of_a_job_is_zero_and_a_service_has_none() {
        let iteration = |status: Value| {
            let answer = json!({"ID": "s", "Version": {"Index": 1}, "Spec": {"Name": "a"}, "JobStatus": status});
            service(&answer).unwrap().1.job_iteration
        };
        assert_eq!(iteration(json!({"JobIteration": {}})), Some(0));
        assert_eq!(iteration(json!({"JobIteration": {"Index": 2}})), Some(2));
        assert_eq!(iteration(Value::Null), None);
    }

    #[test]
    fn ports_are_those_of_the_ingress_network_or_of_the_node() {
        let answer = json!({"Endpoint": {"Ports": [
            {"PublishedPort": 53, "Protocol": "udp", "PublishMode": "ingress"},
            {"PublishedPort": 8080, "Protocol": "tcp", "PublishMode": "host"},
            {"PublishedPort": 443},
        ]}});
        assert_eq!(ports(&answer, "ingress"), ["443/tcp", "53/udp"]);
        assert_eq!(ports(&answer, "host"), ["8080/tcp"]);
    }

    #[test]
    fn an_element_without_an_id_is_named() {
        let nodes = list("node", &json!([{"ID": "n1"}, {}]), node);
        assert_eq!(nodes, Err(Missing("node without an id lacks its id, name or version".to_owned())));
        assert_eq!(list("node", &Value::Null, node), Ok(Vec::new()));
    }
}
