//! Writes, each sent once. A write that may or may not have been done is an error that says so.

use std::collections::BTreeMap;

use futures::try_join;
use http::HeaderValue;
use release_manager::engine::Write;
use release_manager::ports::SwarmError;
use serde_json::Value;
use tracing::warn;

use super::client::{Client, Question, WRITE, filter, segment};
use super::read;
use super::registries::Registries;

pub(super) async fn apply(
    client: &Client,
    registries: Option<&Registries>,
    write: &Write,
) -> Result<String, SwarmError> {
    match write {
        Write::CreateNetwork { spec } => create(client, Question::post("/networks/create", spec)).await,
        Write::CreateSecret { spec } => create(client, Question::post("/secrets/create", spec)).await,
        Write::CreateConfig { spec } => create(client, Question::post("/configs/create", spec)).await,
        Write::CreateService { spec } => {
            let auth = credentials(registries, spec)?;
            let spec = with_ids(client, spec).await?;
            let question = Question::post("/services/create", &spec).with_auth(auth);
            create(client, question).await.map_err(missing_reference)
        }
        Write::UpdateService { id, version, spec } => {
            update(client, id, *version, spec, credentials(registries, spec)?).await
        }
        Write::LabelSecret { id, version, spec } => label(client, "secrets", id, *version, spec).await,
        Write::LabelConfig { id, version, spec } => label(client, "configs", id, *version, spec).await,
        Write::RemoveService { id } => {
            remove(client, id, |docker, id| async move { docker.delete_service(&id).await }).await
        }
        Write::RemoveNetwork { id } => {
            remove(client, id, |docker, id| async move { docker.remove_network(&id).await }).await
        }
        Write::RemoveSecret { id } => {
            remove(client, id, |docker, id| async move { docker.delete_secret(&id).await }).await
        }
        Write::RemoveConfig { id } => {
            remove(client, id, |docker, id| async move { docker.delete_config(&id).await }).await
        }
    }
}

/// What nodes need to fetch the image of a service. Without it an update leaves the Engine what it has.
fn credentials(registries: Option<&Registries>, spec: &Value) -> Result<Option<HeaderValue>, SwarmError> {
    let (Some(registries), Some(image)) = (registries, read::text(spec, "/TaskTemplate/ContainerSpec/Image")) else {
        return Ok(None);
    };
    registries.for_service(image).map_err(|error| SwarmError::Credentials(error.to_string()))
}

async fn create(client: &Client, question: Question<'_>) -> Result<String, SwarmError> {
    let answer = client.answer(WRITE, &question).await?;
    report_warnings(&answer);
    let id = read::text(&answer, "/ID").or_else(|| read::text(&answer, "/Id"));
    id.map(str::to_owned).ok_or_else(|| client.trouble(WRITE).unreadable("what was created has no id"))
}

/// New labels for a secret or config (`kind` as in the path).
async fn label(client: &Client, kind: &str, id: &str, version: u64, spec: &Value) -> Result<String, SwarmError> {
    let path = format!("/{kind}/{}/update", segment(id));
    let version = version.to_string();
    let query = [("version", &*version)];
    client.answer(WRITE, &Question::post(&path, spec).with_query(&query)).await?;
    Ok(id.to_owned())
}

async fn update(
    client: &Client,
    id: &str,
    version: u64,
    spec: &Value,
    auth: Option<HeaderValue>,
) -> Result<String, SwarmError> {
    let spec = with_ids(client, spec).await?;
    let path = format!("/services/{}/update", segment(id));
    let version = version.to_string();
    let query = [("version", &*version)];
    match client.answer(WRITE, &Question::post(&path, &spec).with_query(&query).with_auth(auth)).await {
        Ok(answer) => {
            report_warnings(&answer);
            Ok(id.to_owned())
        }
        // The service itself is gone, or something that its spec names is.
        Err(SwarmError::NotFound(text)) if text.contains("service") => Err(SwarmError::NotFound(text)),
        Err(error) => Err(missing_reference(error)),
    }
}

/// `NotFound` tells of what a write is about; what its spec names and is not there makes the spec wrong.
fn missing_reference(error: SwarmError) -> SwarmError {
    match error {
        SwarmError::NotFound(text) => SwarmError::Refused(text),
        error => error,
    }
}

async fn remove<F>(
    client: &Client,
    id: &str,
    delete: impl Fn(bollard::Docker, String) -> F + Send + Sync,
) -> Result<String, SwarmError>
where
    F: Future<Output = Result<(), bollard::errors::Error>> + Send,
{
    client.ask(WRITE, |docker| delete(docker, segment(id))).await?;
    Ok(id.to_owned())
}

fn report_warnings(answer: &Value) {
    let several = answer.get("Warnings").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for text in several.chain(read::text(answer, "/Warning")) {
        warn!("The Docker Engine warns: {text}");
    }
}

/// A kind of object that specs name, and that the Engine wants by id.
struct Kind {
    word: &'static str,
    path: &'static str,
    members: &'static str,
    name: &'static str,
    id: &'static str,
}

const SECRET: Kind = Kind { word: "secret", path: "/secrets", members: "Secrets", name: "SecretName", id: "SecretID" };
const CONFIG: Kind = Kind { word: "config", path: "/configs", members: "Configs", name: "ConfigName", id: "ConfigID" };
/// The config in which a credential spec stands. The Engine calls it by its id, and keeps no name.
const CREDENTIALS: &str = "/TaskTemplate/ContainerSpec/Privileges/CredentialSpec/Config";

/// The spec of a service with the ids of the secrets and configs that it names.
async fn with_ids(client: &Client, spec: &Value) -> Result<Value, SwarmError> {
    let credentials = read::text(spec, CREDENTIALS);
    let (secrets, configs) = try_join!(
        ids(client, &SECRET, names(&SECRET, spec)),
        ids(client, &CONFIG, names(&CONFIG, spec).into_iter().chain(credentials).collect()),
    )?;
    let mut spec = spec.clone();
    for (kind, ids) in [(&SECRET, &secrets), (&CONFIG, &configs)] {
        put_in(kind, ids, &mut spec)?;
    }
    if let Some(config) = spec.pointer_mut(CREDENTIALS)
        && let Some(id) = config.as_str().and_then(|name| configs.get(name))
    {
        *config = Value::from(id.as_str());
    }
    Ok(spec)
}

fn names<'a>(kind: &Kind, spec: &'a Value) -> Vec<&'a str> {
    let references = spec.pointer("/TaskTemplate/ContainerSpec").and_then(|container| container.get(kind.members));
    let references = references.and_then(Value::as_array).into_iter().flatten();
    references.filter_map(|reference| reference.get(kind.name).and_then(Value::as_str)).collect()
}

/// The ids of objects by name. The Engine's filter matches beginnings of names, so that the answer holds others too.
async fn ids(client: &Client, kind: &Kind, names: Vec<&str>) -> Result<BTreeMap<String, String>, SwarmError> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let answer = client.get(kind.path, &[("filters", &filter("name", &names).to_string())]).await?;
    let found = answer.as_array().into_iter().flatten();
    let found = found.filter_map(|object| Some((read::text(object, "/Spec/Name")?, read::text(object, "/ID")?)));
    Ok(found.map(|(name, id)| (name.to_owned(), id.to_owned())).collect())
}

fn put_in(kind: &Kind, ids: &BTreeMap<String, String>, spec: &mut Value) -> Result<(), SwarmError> {
    let references = spec.pointer_mut("/TaskTemplate/ContainerSpec").and_then(|found| found.get_mut(kind.members));
    for reference in references.and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(name) = reference.get(kind.name).and_then(Value::as_str) else { continue };
        let Some(id) = ids.get(name) else {
            return Err(SwarmError::Refused(format!("{} `{name}` does not exist in the Swarm", kind.word)));
        };
        reference[kind.id] = Value::from(id.as_str());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_put_in_by_exact_name_and_replace_stale_ones() {
        let mut spec = json!({"TaskTemplate": {"ContainerSpec": {
            "Secrets": [{"SecretName": "key", "SecretID": "stale", "File": {"Name": "key"}}],
        }}});
        assert_eq!(names(&SECRET, &spec), ["key"]);
        let known = BTreeMap::from([("key".to_owned(), "s1".to_owned()), ("key2".to_owned(), "s2".to_owned())]);
        put_in(&SECRET, &known, &mut spec).unwrap();
        assert_eq!(
            spec["TaskTemplate"]["ContainerSpec"]["Secrets"],
            json!([{"SecretName": "key", "SecretID": "s1", "File": {"Name": "key"}}])
        );
    }

    #[test]
    fn a_reference_to_nothing_is_refused_with_its_name() {
        let mut spec = json!({"TaskTemplate": {"ContainerSpec": {"Configs": [{"ConfigName": "site"}]}}});
        let refused = put_in(&CONFIG, &BTreeMap::new(), &mut spec).unwrap_err();
        assert!(refused.to_string().contains("config `site` does not exist"), "{refused}");
    }
}
