//! The name of a plan.

use serde_json::{Value, json};

use super::canon::{self, canon, hex_digest};
use super::{Action, ActionKind, NetworkNames, Plan};
use crate::engine::Write;

/// SHA-256 over everything that a person saw, in hex. Ids, version counters and data are left out: names, labels and
/// specs say the same, and do not move by themselves.
pub(super) fn of(plan: &Plan) -> String {
    let actions: Vec<Value> = plan.actions.iter().map(seen).collect();
    hex_digest(canon::text(&json!({"actions": actions, "blockers": plan.blockers})))
}

fn seen(action: &Action) -> Value {
    let canonical = |spec: &Value| canon(spec, &NetworkNames::new());
    let mut kind = json!(action.kind);
    if let ActionKind::UpdateService { prior, .. } = &action.kind {
        kind["prior"] = canonical(prior);
    }
    let spec = match &action.write {
        Some(Write::CreateService { spec } | Write::UpdateService { spec, .. }) => canonical(spec),
        Some(
            Write::CreateNetwork { spec }
            | Write::CreateSecret { spec }
            | Write::CreateConfig { spec }
            | Write::LabelSecret { spec, .. }
            | Write::LabelConfig { spec, .. },
        ) => {
            let mut spec = spec.clone();
            if let Some(spec) = spec.as_object_mut() {
                spec.remove("Data");
            }
            spec
        }
        _ => Value::Null,
    };
    json!({"kind": kind, "level": action.level, "reason": action.reason, "spec": spec})
}
