//! How the core's vocabulary is described to programs. The types have no values: they stand for those of the core in the
//! description, with the same rules.

use release_manager::access::Role as CoreRole;
use release_manager::deployment::{CauseKind as CoreCauseKind, Status as CoreStatus, Step as CoreStep};
use release_manager::diff::ChangeType as CoreChangeType;
use release_manager::health::HealthStatus as CoreHealthStatus;
use release_manager::live::StepState as CoreStepState;
use serde_json::{Value, json};
use utoipa::openapi::schema::{Schema, Type};
use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

/// A text with a grammar.
macro_rules! text {
    ($(#[$doc:meta])* $type:ident, $description:literal, $pattern:literal, $example:literal) => {
        $(#[$doc])*
        pub(in crate::http) enum $type {}

        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                let text = ObjectBuilder::new().schema_type(Type::String).description(Some($description));
                text.pattern(Some($pattern)).examples([json!($example)]).into()
            }
        }

        impl ToSchema for $type {}
    };
}

/// One of a few words. A word that is missing here does not compile.
macro_rules! words {
    ($(#[$doc:meta])* $type:ident, $description:literal, $core:ident, $($variant:ident)+) => {
        $(#[$doc])*
        pub(in crate::http) enum $type {}

        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                let _every_word_is_listed: fn(&$core) = |word| match word { $($core::$variant => ()),+ };
                let words: Vec<Value> = vec![$(json!($core::$variant)),+];
                let text = ObjectBuilder::new().schema_type(Type::String).description(Some($description));
                text.enum_values(Some(words)).into()
            }
        }

        impl ToSchema for $type {}
    };
}

text!(
    /// [`release_manager::names::EnvironmentName`]
    EnvironmentName,
    "The name of an environment.",
    "^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$",
    "prod"
);
text!(
    /// [`release_manager::names::ServiceName`]
    ServiceName,
    "A service as it stands in the stack file.",
    "^[A-Za-z0-9._-]{1,63}$",
    "jellyfin"
);
text!(
    /// [`release_manager::names::Version`]
    Version,
    "An image tag, or a digest.",
    "^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|sha256:[0-9a-f]{64})$",
    "2025040900"
);
text!(
    /// [`release_manager::names::CommitSha`]
    CommitSha,
    "The full name of a commit.",
    "^([0-9a-f]{40}|[0-9a-f]{64})$",
    "9fceb02d0ae598e95dc970b74767f19372d61af8"
);
text!(
    /// [`release_manager::names::Actor`]
    Actor,
    "Who started it: `system`, `manual` where nobody has to log in, a person, or `token:` and the name of a token.",
    "^.+$",
    "manual"
);

words!(
    /// [`release_manager::deployment::Status`]
    Status, "Where a deployment stands.", CoreStatus, InProgress Success Failed RolledBack Cancelled
);
words!(
    /// [`release_manager::deployment::CauseKind`]
    CauseKind, "Why a deployment was started.", CoreCauseKind,
    Sync Promotion Rollback CommandLine Retry Restart Return Heal
);
words!(
    /// [`release_manager::deployment::Step`]
    Step, "A step of a deployment, in this order.", CoreStep, Render Plan Apply Verify Record
);
words!(
    /// [`release_manager::live::StepState`]
    StepState, "How far a step is.", CoreStepState, Pending InProgress Completed Failed
);
words!(
    /// [`release_manager::health::HealthStatus`]
    HealthStatus, "How a service is.", CoreHealthStatus, Healthy Unhealthy Progressing Unknown
);
words!(
    /// [`release_manager::diff::ChangeType`]
    ChangeType, "How a service differs.", CoreChangeType, NoChange VersionBump NewService RemovedService
);

words!(
    /// [`release_manager::access::Role`]
    Role, "What somebody may do; each may what the ones before it may.", CoreRole, Viewer Deployer Admin
);

/// [`release_manager::time::Timestamp`]
pub(in crate::http) enum Timestamp {}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        let time = ObjectBuilder::new().schema_type(Type::String).description(Some("A moment in UTC (RFC 3339)."));
        time.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .examples([json!("2025-10-31T13:00:00Z")])
            .into()
    }
}

impl ToSchema for Timestamp {}

/// A day in UTC.
pub(in crate::http) enum Day {}

impl PartialSchema for Day {
    fn schema() -> RefOr<Schema> {
        let day = ObjectBuilder::new().schema_type(Type::String).description(Some("A day in UTC."));
        day.format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))).examples([json!("2025-10-31")]).into()
    }
}

impl ToSchema for Day {}

/// [`release_manager::names::DeploymentId`]
pub(in crate::http) enum DeploymentId {}

impl PartialSchema for DeploymentId {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer).description(Some("The number of a deployment."));
        number.format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64))).minimum(Some(1)).examples([json!(42)]).into()
    }
}

impl ToSchema for DeploymentId {}

/// `true`, and nothing else.
pub(in crate::http) enum Confirmed {}

impl PartialSchema for Confirmed {
    fn schema() -> RefOr<Schema> {
        let flag = ObjectBuilder::new().schema_type(Type::Boolean).description(Some("Must be `true`."));
        flag.enum_values(Some([json!(true)])).into()
    }
}

impl ToSchema for Confirmed {}

#[cfg(test)]
mod tests {
    use release_manager::names;

    use super::*;

    /// The example of a described text is one that the core takes.
    #[track_caller]
    fn check<T: PartialSchema, N: std::str::FromStr>() {
        let RefOr::T(Schema::Object(text)) = T::schema() else { panic!("it is described as a text") };
        let example = text.examples.first().and_then(Value::as_str).unwrap().to_owned();
        assert!(example.parse::<N>().is_ok(), "{example}");
    }

    #[test]
    fn the_examples_are_names_that_are_taken() {
        check::<EnvironmentName, names::EnvironmentName>();
        check::<ServiceName, names::ServiceName>();
        check::<Version, names::Version>();
        check::<CommitSha, names::CommitSha>();
        check::<Timestamp, release_manager::time::Timestamp>();
    }
}
