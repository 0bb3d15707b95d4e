//! A plan as people and programs see it: what would be done and why, without a word that may be secret.

use std::fmt::Write as _;

use release_manager::diff::{FieldChange, Finding};
use release_manager::names::{StackName, Version};
use release_manager::plan::{Action, ActionKind, Plan};
use serde::Serialize;

/// A plan, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Preview {
    stack: StackName,
    /// Whether a deployment would write anything.
    changes: bool,
    /// Names exactly this plan.
    hash: String,
    actions: Vec<Step>,
    /// What forbids it.
    blockers: Vec<Finding>,
    /// What a person should know.
    warnings: Vec<Finding>,
}

/// One action.
#[derive(Debug, Serialize)]
struct Step {
    action: Verb,
    /// `service`, `network`, `secret` or `config`.
    object: String,
    /// Its name in the stack file; for what is no service its full name.
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Version>,
    reason: String,
    /// Steps of a level are taken together.
    level: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldChange>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verb {
    Create,
    Update,
    Remove,
    Leave,
}

impl Verb {
    fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update => '~',
            Self::Remove => '-',
            Self::Leave => '=',
        }
    }
}

impl Preview {
    pub(super) fn new(stack: &StackName, plan: &Plan) -> Self {
        Self {
            stack: stack.clone(),
            changes: plan.has_writes(),
            hash: plan.hash(),
            actions: plan.actions.iter().map(step).collect(),
            blockers: plan.blockers.clone(),
            warnings: plan.warnings.clone(),
        }
    }

    /// The plan in lines.
    pub(super) fn text(&self) -> String {
        let mut text = format!("Stack {}\n\n", self.stack);
        for step in self.actions.iter().filter(|step| step.action != Verb::Leave) {
            write_step(step, &mut text);
        }
        if self.changes {
            text.push('\n');
        }
        for (word, findings) in [("Blocker", &self.blockers), ("Warning", &self.warnings)] {
            for finding in findings {
                let service = finding.service.as_ref().map(|service| format!("{service}: ")).unwrap_or_default();
                let _ = writeln!(text, "{word}: {service}{}", finding.message);
            }
        }
        let count = |verb| self.actions.iter().filter(|step| step.action == verb).count();
        let _ = writeln!(
            text,
            "{} to create, {} to update, {} to remove, {} unchanged",
            count(Verb::Create),
            count(Verb::Update),
            count(Verb::Remove),
            count(Verb::Leave)
        );
        text
    }
}

fn step(action: &Action) -> Step {
    let service =
        |verb, name: &release_manager::names::ServiceName, from: Option<&Version>, to: Option<&Version>| Step {
            action: verb,
            object: "service".to_owned(),
            name: name.to_string(),
            from: from.cloned(),
            to: to.cloned(),
            reason: action.reason.clone(),
            level: action.level,
            fields: Vec::new(),
        };
    let object = |verb, object: &str, name: &str| Step {
        action: verb,
        object: object.to_owned(),
        name: name.to_owned(),
        from: None,
        to: None,
        reason: action.reason.clone(),
        level: action.level,
        fields: Vec::new(),
    };
    match &action.kind {
        ActionKind::CreateObject { object: kind, name } => object(Verb::Create, kind, name),
        ActionKind::LabelObject { object: kind, name } => object(Verb::Update, kind, name),
        ActionKind::RemoveObject { object: kind, name } => object(Verb::Remove, kind, name),
        ActionKind::CreateService { service: name, to } => service(Verb::Create, name, None, Some(to)),
        ActionKind::UpdateService { service: name, from, to, changes, .. } => {
            Step { fields: changes.clone(), ..service(Verb::Update, name, Some(from), Some(to)) }
        }
        ActionKind::RemoveService { service: name, from } => service(Verb::Remove, name, Some(from), None),
        ActionKind::WatchService { service: name, from, to } => service(Verb::Leave, name, from.as_ref(), Some(to)),
        ActionKind::LeaveService { service: name, version } => service(Verb::Leave, name, Some(version), Some(version)),
    }
}

fn write_step(step: &Step, text: &mut String) {
    let versions = match (&step.from, &step.to) {
        (Some(from), Some(to)) if from != to => format!("  {from} -> {to}"),
        (_, Some(version)) | (Some(version), None) => format!("  {version}"),
        (None, None) => String::new(),
    };
    let _ = writeln!(text, "  {} {} {}{versions}  ({})", step.action.sign(), step.object, step.name, step.reason);
    for field in &step.fields {
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let _ = writeln!(text, "      {}: {} -> {}", field.field, side(&field.from), side(&field.to));
    }
}
