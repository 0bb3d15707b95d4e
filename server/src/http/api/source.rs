//! The source, and looking at it now.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use release_manager::access::Operation;
use release_manager::live;
use release_manager::names::CommitSha;
use release_manager::revision::Revision;
use release_manager::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema;
use crate::http::AppState;
use crate::http::auth::Caller;
use crate::http::error::Problem;

/// The repository and branch that are followed, and how they are.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SourceState {
    /// `owner/name` or the remote, without credentials.
    name: String,
    /// The branch that is followed.
    branch: String,
    /// The newest revision that was read.
    head: Option<Commit>,
    /// When the source last answered.
    #[schema(value_type = Option<schema::Timestamp>)]
    checked_at: Option<Timestamp>,
    /// When the last question to it was over, answered or not.
    #[schema(value_type = Option<schema::Timestamp>)]
    tried_at: Option<Timestamp>,
    /// What is wrong and since when; `null` while all is well.
    problem: Option<KnownProblem>,
    /// The page of a commit at the host: this text followed by the commit. `null` where the host has none.
    commit_url: Option<String>,
}

/// One commit of the source.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Commit {
    #[schema(value_type = schema::CommitSha)]
    sha: CommitSha,
    /// Who wrote it, as the host names the person.
    author: String,
    /// By the committer's clock.
    #[schema(value_type = schema::Timestamp)]
    committed_at: Timestamp,
    /// The whole message.
    message: String,
}

/// Something that a person should know about.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct KnownProblem {
    /// Since when.
    #[schema(value_type = schema::Timestamp)]
    since: Timestamp,
    /// What is wrong and what to do.
    message: String,
}

impl From<Revision> for Commit {
    fn from(revision: Revision) -> Self {
        let Revision { sha, author, committed_at, message } = revision;
        Self { sha, author, committed_at, message }
    }
}

impl From<live::SourceState> for SourceState {
    fn from(state: live::SourceState) -> Self {
        Self {
            name: state.name,
            branch: state.branch,
            head: state.head.map(Commit::from),
            checked_at: state.checked_at,
            tried_at: state.tried_at,
            problem: state.problem.map(|known| KnownProblem { since: known.since, message: known.message }),
            commit_url: state.commit_url,
        }
    }
}

/// The source: where it is, its newest revision, when it last answered, and what is wrong with it.
#[utoipa::path(get, path = "/api/source", tag = "Source", responses(
    (status = 200, description = "How the source is", body = SourceState),
))]
pub(super) async fn source(State(state): State<AppState>) -> Json<SourceState> {
    Json(state.manager.live().borrow().source.clone().into())
}

/// Asks the source at once instead of at the next interval. What follows is what follows any look: a new revision is
/// deployed where an environment follows it. Answers before the source does.
#[utoipa::path(post, path = "/api/sync", tag = "Source", responses(
    (status = 202, description = "The source is being asked; this is what was known before", body = SourceState),
))]
pub(super) async fn sync(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<(StatusCode, Json<SourceState>), Problem> {
    caller.allow(Operation::CheckSource)?;
    let known = state.manager.live().borrow().source.clone();
    state.manager.look_now();
    Ok((StatusCode::ACCEPTED, Json(known.into())))
}
