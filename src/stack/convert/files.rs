//! Secrets and configs: what they contain, and how services see them.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Context;
use super::json::Json;
use crate::ports::Files;
use crate::stack::Object;
use crate::stack::findings::{Findings, Placed};
use crate::stack::load::model::{FileObject, Reference, Service};

/// The mode of a file for which none is given: everybody may read it.
const DEFAULT_MODE: u32 = 0o444;

/// The two kinds of files that the Swarm keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Secret,
    Config,
}

impl Kind {
    fn declared(self, context: Context<'_>) -> &BTreeMap<String, FileObject> {
        match self {
            Self::Secret => &context.document.secrets,
            Self::Config => &context.document.configs,
        }
    }

    fn used(self, service: &Service) -> &[Reference] {
        match self {
            Self::Secret => &service.secrets,
            Self::Config => &service.configs,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Config => "config",
        }
    }

    /// Data of this length and beyond is refused by the Swarm.
    fn limit(self) -> usize {
        match self {
            Self::Secret => 500 * 1024,
            Self::Config => 1000 * 1024,
        }
    }
}

/// All secrets or configs of the stack itself, and the external ones that a service uses, by full name.
pub(super) fn objects(
    context: Context<'_>,
    kind: Kind,
    files: &Files,
    findings: &mut Findings,
) -> BTreeMap<String, Object> {
    let mut objects = BTreeMap::new();
    let used = used(context, kind);
    for (key, declared) in kind.declared(context) {
        let name = context.named(key, declared.name.as_ref());
        if !declared.external {
            let spec = spec(context, kind, &name, declared, files, findings);
            objects.insert(name, Object::Ours { spec });
        } else if used.contains(key.as_str()) {
            objects.insert(name, Object::External);
        }
    }
    objects
}

/// The keys of those that services use.
fn used<'a>(context: Context<'a>, kind: Kind) -> BTreeSet<&'a str> {
    let services = context.document.services.values();
    let credential = |service: &'a Service| {
        let spec = service.credential_spec.as_ref().filter(|_| kind == Kind::Config);
        spec.map(|spec| spec.value.config.as_str())
    };
    services
        .flat_map(|service| kind.used(service).iter().map(|used| used.source.as_str()).chain(credential(service)))
        .collect()
}

/// The body of the create request.
fn spec(
    context: Context<'_>,
    kind: Kind,
    name: &str,
    declared: &FileObject,
    files: &Files,
    findings: &mut Findings,
) -> Value {
    let data = declared.file.as_ref().and_then(|file| {
        let data = findings.take(&file.place, read(kind, file, files))?;
        findings.take_text(&file.place, data.len()).then(|| STANDARD.encode(data))
    });
    let driver = (!declared.driver.is_empty())
        .then(|| Json::default().put("Name", declared.driver.as_str()).strings("Options", &declared.driver_opts));
    let templating =
        (!declared.template_driver.is_empty()).then(|| Json::default().put("Name", declared.template_driver.as_str()));
    Json::default()
        .put("Name", name)
        .put("Labels", context.labels(&declared.labels))
        .some("Data", data)
        .some("Driver", driver)
        .some("Templating", templating)
        .into()
}

fn read<'a>(kind: Kind, file: &Placed<crate::names::RepoPath>, files: &'a Files) -> Result<&'a [u8], String> {
    let (word, path) = (kind.word(), &file.value);
    let bytes =
        files.get(path).ok_or_else(|| format!("the file `{path}` is not in the repository at this revision"))?;
    if bytes.is_empty() || bytes.len() >= kind.limit() {
        let (length, limit) = (bytes.len(), kind.limit());
        return Err(format!("the {word} `{path}` has {length} bytes, but Swarm takes 1 to {}", limit - 1));
    }
    Ok(bytes)
}

/// The secrets or configs of a service, by name and target. Ids are put in where the Swarm is known.
pub(super) fn references(
    context: Context<'_>,
    kind: Kind,
    service_key: &str,
    service: &Service,
    findings: &mut Findings,
) -> Vec<Value> {
    let mut targets = BTreeSet::new();
    let mut references = BTreeMap::new();
    for used in kind.used(service) {
        let Some(declared) = kind.declared(context).get(&used.source) else {
            let (word, source) = (kind.word(), &used.source);
            let message = format!("there is no {word} `{source}`: add it to `{word}s` at the top level");
            findings.refuse(&used.place, message);
            continue;
        };
        let target = if used.target.is_empty() { &used.source } else { &used.target };
        if !targets.insert(target.clone()) {
            let word = kind.word();
            findings.refuse(&used.place, format!("service `{service_key}` gets two {word}s as `{target}`: rename one"));
        }
        let name = context.named(&used.source, declared.name.as_ref());
        let reference = reference(kind, &name, target, used);
        references.insert((name, target.clone()), Value::from(reference));
    }
    if kind == Kind::Config {
        references.extend(credential_reference(context, service, findings));
    }
    references.into_values().collect()
}

fn reference(kind: Kind, name: &str, target: &str, used: &Reference) -> Json {
    let id = |given: &str| if given.is_empty() { "0".to_owned() } else { given.to_owned() };
    let file = Json::default()
        .put("Name", target)
        .put("UID", id(&used.uid))
        .put("GID", id(&used.gid))
        .put("Mode", used.mode.unwrap_or(DEFAULT_MODE));
    let member = if kind == Kind::Secret { "SecretName" } else { "ConfigName" };
    Json::default().put("File", file).put(member, name)
}

/// A config that holds a credential spec is used by the runtime, not by the container.
fn credential_reference(
    context: Context<'_>,
    service: &Service,
    findings: &mut Findings,
) -> Option<((String, String), Value)> {
    let spec = service.credential_spec.as_ref().filter(|spec| !spec.value.config.is_empty())?;
    let key = &spec.value.config;
    let Some(declared) = context.document.configs.get(key) else {
        findings.refuse(&spec.place, format!("there is no config `{key}`: add it to `configs` at the top level"));
        return None;
    };
    let name = context.named(key, declared.name.as_ref());
    let reference = Json::default().put("Runtime", Json::default()).put("ConfigName", name.as_str());
    Some(((name, String::new()), reference.into()))
}
