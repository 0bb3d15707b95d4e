//! Secrets and configs, which differ in what they show and in their texts.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DatumKind {
    Secret,
    Config,
}

impl DatumKind {
    /// The word in texts and events.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Config => "config",
        }
    }

    /// The bytes that are too many.
    pub(crate) fn limit(self) -> usize {
        match self {
            Self::Secret => 512_000,
            Self::Config => 1_024_000,
        }
    }
}

/// A secret or a config.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Datum {
    pub(crate) kind: DatumKind,
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) created: String,
    pub(crate) updated: String,
    /// The spec without its data.
    pub(crate) spec: Value,
    /// Base64, as it was sent.
    pub(crate) data: String,
}

impl Datum {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.spec["Name"].as_str().unwrap_or_default()
    }

    /// As list and inspect show it: a config with its data, a secret without.
    pub(crate) fn json(&self) -> Value {
        let mut spec = self.spec.clone();
        if self.kind == DatumKind::Config {
            spec["Data"] = json!(self.data);
        }
        json!({
            "ID": self.id,
            "Version": { "Index": self.version },
            "CreatedAt": self.created,
            "UpdatedAt": self.updated,
            "Spec": spec,
        })
    }
}
