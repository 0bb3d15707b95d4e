//! The description of the API (OpenAPI 3.1), made of the code that answers: a route and its description are registered
//! together.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::api::schema::{CauseKind, Day};
use super::auth::table::{Access, access_of};
use super::error::{MEDIA_TYPE, Problem};
use super::{AppState, idempotency};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Release Manager",
        description = "GitOps for Docker Swarm, for programs. JSON over HTTP; times are RFC 3339 in UTC; every error is a problem document (RFC 9457).",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    // They have a state or a way of their own, so they are not registered with the others.
    paths(super::webhooks::receive, super::export::export),
    components(schemas(Problem, CauseKind, Day)),
    tags(
        (name = "Environments", description = "What runs, and how it is"),
        (name = "Promotion", description = "What differs, what would be done, and doing it"),
        (name = "Rollback", description = "What going back would do, and doing it"),
        (name = "Deployments", description = "Following and stopping what was begun"),
        (name = "History", description = "What was done, and what it brought"),
        (name = "Source", description = "The repository that is followed"),
        (name = "Access", description = "Who may come in, and what was done or refused"),
        (name = "Operation", description = "For whoever runs Release Manager"),
    ),
)]
struct Base;

/// The description without its paths: [`super::api::routes`] adds those.
pub(super) fn base() -> utoipa::openapi::OpenApi {
    let mut base = Base::openapi();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API token."));
    if let Some(components) = &mut base.components {
        components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    }
    base
}

/// What every operation may also answer, and what every order may carry, in addition to what it says itself.
pub(super) fn complete(description: utoipa::openapi::OpenApi) -> Value {
    let mut description = serde_json::to_value(description).unwrap_or_default();
    if let Some(whole) = description.as_object_mut() {
        whole.insert("security".to_owned(), json!([{ "token": [] }]));
    }
    let paths = description.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object_mut().into_iter().flatten() {
            let Some(operation) = operation.as_object_mut() else { continue };
            if takes_no_right(method, path) {
                operation.insert("security".to_owned(), json!([]));
            }
            if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
                responses.entry("default").or_insert_with(any_problem);
            }
            if method == "post" && idempotency::heeded(path) {
                let parameters = operation.entry("parameters").or_insert_with(|| Value::Array(Vec::new()));
                parameters.as_array_mut().into_iter().for_each(|known| known.push(idempotency::parameter()));
            }
        }
    }
    description
}

/// Whether anybody may ask there.
fn takes_no_right(method: &str, path: &str) -> bool {
    let method = method.to_ascii_uppercase().parse().unwrap_or_default();
    matches!(access_of(&method, path), Some(Access::Open | Access::Public))
}

fn any_problem() -> Value {
    json!({
        "description": "Anything else that goes wrong",
        "content": { MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

/// `GET /api/openapi.json`
pub(super) async fn description(State(state): State<AppState>) -> Json<Arc<Value>> {
    Json(Arc::clone(&state.description))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");

    fn described() -> Value {
        let (_, description) = super::super::described().split_for_parts();
        complete(description)
    }

    #[test]
    fn the_committed_description_is_that_of_the_code() {
        let described = format!("{}\n", serde_json::to_string_pretty(&described()).unwrap());
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(COMMITTED, &described).unwrap();
        }
        let committed = std::fs::read_to_string(COMMITTED).unwrap();
        assert!(described == committed, "docs/openapi.json is not current: run `make openapi`, and look at the change");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    members.values().for_each(|member| references(member, found));
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => (),
            }
        }
        let described = described();
        let mut found = Vec::new();
        references(&described, &mut found);
        for reference in found {
            assert!(described.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
        }
    }

    #[test]
    fn every_operation_wants_a_token_but_those_that_anybody_may_ask() {
        let described = described();
        assert_eq!(described["security"], json!([{ "token": [] }]));
        let mut open = Vec::new();
        for (path, methods) in described["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                if let Some(security) = operation.get("security") {
                    assert_eq!(security, &json!([]), "{method} {path}");
                    open.push(format!("{method} {path}"));
                }
            }
        }
        assert_eq!(open, ["post /api/webhooks/{forge}", "get /healthz", "get /readyz"]);
    }

    #[test]
    fn every_operation_is_described_for_people() {
        for (path, methods) in described()["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                assert!(operation["tags"].is_array(), "{method} {path} belongs nowhere");
            }
        }
    }
}
