//! `/services`.

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::IntoResponse,
};
use serde_json::{Value, json};

use crate::{
    api::{Answer, App, Query1, body, created, filters::Filters, is_true, ok, version},
    error::Refusal,
    spec::Mode,
    state::{
        World,
        service::{JobStatus, Service, Spec, UpdateState, UpdateStatus},
        task::State as TaskState,
    },
};

/// How long the allocator takes to look at a new spec.
const ALLOCATION: std::time::Duration = std::time::Duration::from_millis(3);

impl World {
    /// A service by id, name, or the beginning of an id.
    pub(super) fn find_service(&self, name: &str) -> Result<&Service, Refusal> {
        self.services
            .get(name)
            .or_else(|| self.services.values().find(|service| service.name() == name))
            .or_else(|| self.services.values().find(|service| service.id.starts_with(name)))
            .ok_or_else(|| Refusal::not_found("service", name))
    }

    fn create_service(&mut self, body: &Value) -> Result<String, Refusal> {
        let mut body = body.clone();
        if body.is_object() && (body["Name"].is_null() || body["Name"] == "") {
            body["Name"] = json!(format!("service_{}", &self.ids.object()[..8]));
        }
        let mut spec = self.accept_spec(&body, None)?;
        let name = spec.parsed.name.clone();
        if self.services.values().any(|service| service.name() == name) {
            let message = format!("name conflicts with an existing object: service {name} already exists");
            return Err(Refusal::exists(message));
        }
        let (id, version, at) = (self.ids.object(), self.bump(), self.stamp());
        spec.version = version;
        let job = spec.mode().is_job().then(|| JobStatus { iteration: 0, last_execution: at.clone() });
        let allocate_at = Self::needs_allocation(&spec.parsed).then(|| self.ahead(ALLOCATION));
        let service = Service {
            id: id.clone(),
            version,
            created: at.clone(),
            updated: at,
            spec,
            previous: None,
            update: None,
            job,
            ports: Vec::new(),
            virtual_ips: Vec::new(),
            allocate_at,
            updater: None,
            restarts: std::collections::BTreeMap::new(),
        };
        self.services.insert(id.clone(), service);
        self.touched(&id);
        self.tell("service", "create", &id, &[("name", &name)]);
        Ok(id)
    }

    fn update_service(&mut self, id: &str, version: u64, body: &Value, back: bool) -> Result<(), Refusal> {
        let old = self.find_service(id)?;
        let (id, old_version, old_spec, previous) =
            (old.id.clone(), old.version, old.spec.clone(), old.previous.clone());
        let mut spec = if back {
            previous.ok_or_else(|| Refusal::precondition(format!("service {id} does not have a previous spec")))?
        } else {
            let spec = self.accept_spec(body, Some(&id))?;
            check_change(&old_spec, &spec)?;
            spec
        };
        if old_version != version {
            return Err(Refusal::out_of_sequence());
        }
        let (version, at) = (self.bump(), self.stamp());
        spec.version = version;
        let allocate_at = Self::needs_allocation(&spec.parsed).then(|| self.ahead(ALLOCATION));
        let changes = changes(&old_spec, &spec);
        let Some(service) = self.services.get_mut(&id) else { return Err(Refusal::not_found("service", &id)) };
        service.previous = Some(std::mem::replace(&mut service.spec, spec));
        service.update = back.then(|| UpdateStatus {
            state: UpdateState::RollbackStarted,
            started: at.clone(),
            completed: None,
            message: "manually requested rollback".to_owned(),
        });
        if let Some(job) = &mut service.job {
            job.iteration += 1;
            job.last_execution.clone_from(&at);
        }
        service.allocate_at = allocate_at;
        if allocate_at.is_none() {
            service.ports.clear();
            service.virtual_ips.clear();
        }
        (service.version, service.updated, service.updater) = (version, at, None);
        let mut attributes = vec![("name", service.name().to_owned())];
        attributes.extend(changes);
        self.touched(&id);
        let attributes: Vec<(&str, &str)> = attributes.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.tell("service", "update", &id, &attributes);
        Ok(())
    }

    fn touched(&mut self, id: &str) {
        self.dirty.insert(id.to_owned());
        self.unsaved = true;
    }

    fn remove_service(&mut self, name: &str) -> Result<(), Refusal> {
        let id = self.find_service(name)?.id.clone();
        if let Some(service) = self.services.remove(&id) {
            self.bump();
            self.touched(&id);
            self.tell("service", "remove", &id, &[("name", service.name())]);
        }
        Ok(())
    }

    /// The service as a list with `status=true` shows it.
    fn service_with_status(&self, service: &Service) -> Value {
        let mut json = service.json();
        let (mut running, mut wanted, mut completed) = (0_u64, 0_u64, 0_u64);
        let iteration = service.job.as_ref().map(|job| job.iteration);
        for task in self.tasks_of(&service.id) {
            let counts = task.iteration == iteration;
            running += u64::from(task.status.state == TaskState::Running);
            // A task of a job counts from its making on, one of a global service once it may run.
            let is_wanted = match iteration {
                Some(_) => task.desired <= TaskState::Complete,
                None => task.desired == TaskState::Running,
            };
            wanted += u64::from(is_wanted && counts);
            completed += u64::from(task.status.state == TaskState::Complete && iteration.is_some() && counts);
        }
        let desired = match service.spec.mode() {
            Mode::Replicated { replicas } => replicas,
            Mode::ReplicatedJob { concurrent, .. } => concurrent,
            Mode::Global | Mode::GlobalJob => wanted,
        };
        json["ServiceStatus"] =
            json!({ "RunningTasks": running, "DesiredTasks": desired, "CompletedTasks": completed });
        json
    }
}

fn check_change(old: &Spec, new: &Spec) -> Result<(), Refusal> {
    if old.parsed.name != new.parsed.name {
        return Err(Refusal::unimplemented("renaming services is not supported"));
    }
    if std::mem::discriminant(&old.mode()) != std::mem::discriminant(&new.mode()) {
        return Err(Refusal::unimplemented("service mode change is not allowed"));
    }
    Ok(())
}

/// What an event says of an update.
fn changes(old: &Spec, new: &Spec) -> Vec<(&'static str, String)> {
    let mut changes = Vec::new();
    let image = |spec: &Spec| spec.template.parsed.container_spec.image.clone();
    if image(old) != image(new) {
        changes.extend([("image.new", image(new)), ("image.old", image(old))]);
    }
    if let (Mode::Replicated { replicas: before }, Mode::Replicated { replicas: after }) = (old.mode(), new.mode())
        && before != after
    {
        changes.extend([("replicas.new", after.to_string()), ("replicas.old", before.to_string())]);
    }
    changes
}

pub(super) async fn list(State(shared): App, Query(query): Query1) -> Answer {
    let filters = Filters::read(&query)?.only(&["id", "label", "mode", "name", "runtime"])?;
    let with_status = is_true(&query, "status");
    shared.with(|world| {
        let shown = world.services.values().filter(|service| {
            filters.begins("id", &service.id)
                && filters.begins("name", service.name())
                && filters.labels(&service.spec.json["Labels"])
                && filters.passes("mode", |word| mode_word(service.spec.mode()) == word)
        });
        let json = |service: &Service| if with_status { world.service_with_status(service) } else { service.json() };
        ok(&Value::Array(shown.map(json).collect()))
    })
}

fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Replicated { .. } => "replicated",
        Mode::Global => "global",
        Mode::ReplicatedJob { .. } => "replicated-job",
        Mode::GlobalJob => "global-job",
    }
}

pub(super) async fn create(State(shared): App, bytes: Bytes) -> Answer {
    let body = body(&bytes)?;
    let id = shared.with(|world| world.create_service(&body))?;
    created(&json!({ "ID": id }))
}

pub(super) async fn inspect(State(shared): App, Path(id): Path<String>) -> Answer {
    shared.with(|world| ok(&world.find_service(&id)?.json()))
}

pub(super) async fn update(State(shared): App, Path(id): Path<String>, Query(query): Query1, bytes: Bytes) -> Answer {
    let body = body(&bytes)?;
    let version = version(&query, "service")?;
    let back = query.get("rollback").is_some_and(|rollback| rollback == "previous");
    shared.with(|world| world.update_service(&id, version, &body, back))?;
    ok(&json!({ "Warnings": null }))
}

pub(super) async fn remove(State(shared): App, Path(id): Path<String>) -> Answer {
    shared.with(|world| world.remove_service(&id))?;
    Ok(StatusCode::OK.into_response())
}
