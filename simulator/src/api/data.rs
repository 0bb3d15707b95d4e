//! `/secrets` and `/configs`.

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::IntoResponse,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    api::{Answer, App, Query1, body, created, filters::Filters, ok, version},
    error::Refusal,
    schema,
    state::{
        World,
        datum::{Datum, DatumKind},
        service::Service,
    },
};

impl World {
    /// By id, name, or the beginning of an id.
    fn find_datum(&self, kind: DatumKind, name: &str) -> Result<&Datum, Refusal> {
        let of_kind = || self.data.values().filter(|datum| datum.kind == kind);
        of_kind()
            .find(|datum| datum.id == name)
            .or_else(|| of_kind().find(|datum| datum.name() == name))
            .or_else(|| of_kind().find(|datum| datum.id.starts_with(name)))
            .ok_or_else(|| Refusal::not_found(kind.word(), name))
    }

    fn create_datum(&mut self, kind: DatumKind, body: &Value) -> Result<String, Refusal> {
        let (spec, data) = read(body)?;
        let name = spec["Name"].as_str().unwrap_or_default().to_owned();
        check_name(&name)?;
        let has_driver = spec.get("Driver").is_some();
        let length = STANDARD.decode(&data).map_or(0, |bytes| bytes.len());
        if !has_driver && (length == 0 || length >= kind.limit()) {
            let message = format!("{} data must be larger than 0 and less than {} bytes", kind.word(), kind.limit());
            return Err(Refusal::invalid(message));
        }
        if self.data.values().any(|datum| datum.kind == kind && datum.name() == name) {
            return Err(Refusal::exists(format!("{} {name} already exists", kind.word())));
        }
        let (id, version, at) = (self.ids.object(), self.bump(), self.stamp());
        let datum = Datum { kind, id: id.clone(), version, created: at.clone(), updated: at, spec, data };
        self.data.insert(id.clone(), datum);
        self.unsaved = true;
        self.tell(kind.word(), "create", &id, &[("name", &name)]);
        Ok(id)
    }

    fn update_datum(&mut self, kind: DatumKind, name: &str, version: u64, body: &Value) -> Result<(), Refusal> {
        let (spec, data) = read(body)?;
        let datum = self.find_datum(kind, name)?;
        let (id, old_version) = (datum.id.clone(), datum.version);
        let is_renamed = spec["Name"].as_str().is_some_and(|name| name != datum.name());
        if is_renamed || (!data.is_empty() && data != datum.data) {
            return Err(Refusal::invalid("only updates to Labels are allowed"));
        }
        if old_version != version {
            return Err(Refusal::out_of_sequence());
        }
        let (version, at) = (self.bump(), self.stamp());
        let Some(datum) = self.data.get_mut(&id) else { return Err(Refusal::not_found(kind.word(), name)) };
        datum.spec["Labels"] = spec["Labels"].clone();
        (datum.version, datum.updated) = (version, at);
        let name = datum.name().to_owned();
        self.unsaved = true;
        self.tell(kind.word(), "update", &id, &[("name", &name)]);
        Ok(())
    }

    fn remove_datum(&mut self, kind: DatumKind, name: &str) -> Result<(), Refusal> {
        let datum = self.find_datum(kind, name)?;
        let (id, name) = (datum.id.clone(), datum.name().to_owned());
        let users: Vec<&str> = self
            .services
            .values()
            .filter(|service| {
                let container = &service.spec.parsed.task_template.container_spec;
                container.secrets.iter().any(|secret| secret.id == id)
                    || container.configs.iter().any(|config| config.id == id)
            })
            .map(Service::name)
            .collect();
        if !users.is_empty() {
            let services = if users.len() == 1 { "service" } else { "services" };
            let message =
                format!("{} '{name}' is in use by the following {services}: {}", kind.word(), users.join(", "));
            return Err(Refusal::invalid(message));
        }
        self.data.remove(&id);
        self.bump();
        self.unsaved = true;
        self.tell(kind.word(), "remove", &id, &[("name", &name)]);
        Ok(())
    }
}

/// The spec without its data, and the data.
fn read(body: &Value) -> Result<(Value, String), Refusal> {
    let mut spec = schema::known(&schema::DATUM, body, "Spec")?;
    let data = match spec.as_object_mut().and_then(|spec| spec.remove("Data")) {
        Some(Value::String(data)) => data,
        _ => String::new(),
    };
    if spec.get("Labels").is_none() {
        spec["Labels"] = json!({});
    }
    match STANDARD.decode(&data) {
        Ok(_) => Ok((spec, data)),
        Err(base64::DecodeError::InvalidByte(at, _)) => {
            Err(Refusal::bad(format!("illegal base64 data at input byte {at}")))
        }
        Err(_) => Err(Refusal::bad(format!("illegal base64 data at input byte {}", data.len()))),
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let is_end = |c: char| c.is_ascii_alphanumeric();
    let is_inside = |c: char| is_end(c) || matches!(c, '-' | '_' | '.');
    if name.len() <= 64 && name.starts_with(is_end) && name.ends_with(is_end) && name.chars().all(is_inside) {
        return Ok(());
    }
    Err(Refusal::invalid(
        "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]",
    ))
}

fn list(app: &App, query: &Query1, kind: DatumKind) -> Answer {
    let filters = Filters::read(query)?.only(&["id", "label", "name", "names"])?;
    app.with(|world| {
        let shown = world.data.values().filter(|datum| {
            datum.kind == kind
                && filters.begins("id", &datum.id)
                && filters.begins("name", datum.name())
                && filters.passes("names", |name| name == datum.name())
                && filters.labels(&datum.spec["Labels"])
        });
        ok(&Value::Array(shown.map(Datum::json).collect()))
    })
}

fn create(app: &App, bytes: &Bytes, kind: DatumKind) -> Answer {
    let body = body(bytes)?;
    let id = app.with(|world| world.create_datum(kind, &body))?;
    created(&json!({ "ID": id }))
}

fn update(app: &App, id: &str, query: &Query1, bytes: &Bytes, kind: DatumKind) -> Answer {
    let body = body(bytes)?;
    let version = version(query, kind.word())?;
    app.with(|world| world.update_datum(kind, id, version, &body))?;
    Ok(StatusCode::OK.into_response())
}

fn remove(app: &App, id: &str, kind: DatumKind) -> Answer {
    app.with(|world| world.remove_datum(kind, id))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn list_secrets(app: App, query: Query1) -> Answer {
    list(&app, &query, DatumKind::Secret)
}

pub(super) async fn list_configs(app: App, query: Query1) -> Answer {
    list(&app, &query, DatumKind::Config)
}

pub(super) async fn create_secret(app: App, bytes: Bytes) -> Answer {
    create(&app, &bytes, DatumKind::Secret)
}

pub(super) async fn create_config(app: App, bytes: Bytes) -> Answer {
    create(&app, &bytes, DatumKind::Config)
}

pub(super) async fn inspect_secret(State(shared): App, Path(id): Path<String>) -> Answer {
    shared.with(|world| ok(&world.find_datum(DatumKind::Secret, &id)?.json()))
}

pub(super) async fn inspect_config(State(shared): App, Path(id): Path<String>) -> Answer {
    shared.with(|world| ok(&world.find_datum(DatumKind::Config, &id)?.json()))
}

pub(super) async fn update_secret(app: App, Path(id): Path<String>, query: Query1, bytes: Bytes) -> Answer {
    update(&app, &id, &query, &bytes, DatumKind::Secret)
}

pub(super) async fn update_config(app: App, Path(id): Path<String>, query: Query1, bytes: Bytes) -> Answer {
    update(&app, &id, &query, &bytes, DatumKind::Config)
}

pub(super) async fn remove_secret(app: App, Path(id): Path<String>) -> Answer {
    remove(&app, &id, DatumKind::Secret)
}

pub(super) async fn remove_config(app: App, Path(id): Path<String>) -> Answer {
    remove(&app, &id, DatumKind::Config)
}
