//! What a browser may know about a refusal. One table turns the core's errors into it; what only the log should see
//! stays there.

use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use release_manager::names::{DeploymentId, EnvironmentName};
use serde::{Deserialize, Serialize};

use crate::read::PickedEncoding;

/// Why a server function refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    /// What a page can react to.
    pub kind: RpcErrorKind,
    /// The sentence for people.
    pub message: String,
    /// The environment that was to be changed, where a page has the same order for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
}

/// What a page can react to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RpcErrorKind {
    /// There is nothing of that name or number.
    NotFound,
    /// Another deployment of the environment is not over.
    Busy {
        /// That deployment.
        id: DeploymentId,
    },
    /// The plan is no longer the one that was seen: ask for it again.
    Stale,
    /// Nothing would change.
    UpToDate,
    /// The plan has blockers.
    Blocked,
    /// The request, or what is in the repository, cannot be used.
    Invalid,
    /// Nobody is logged in any more.
    LoggedOut,
    /// The role does not allow it.
    Forbidden,
    /// The source, the Engine or Release Manager itself cannot be reached just now.
    Unavailable,
    /// It went wrong inside; the log says why.
    Internal,
}

impl RpcError {
    /// A refusal with the sentence for people.
    pub fn new(kind: RpcErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), environment: None }
    }
}

impl FromServerFnError for RpcError {
    type Encoder = PickedEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) => {
                Self::new(RpcErrorKind::Unavailable, "Release Manager cannot be reached: check the connection")
            }
            // Whatever stands between browser and server (a proxy's error page) cannot be decoded either.
            ServerFnErrorErr::Deserialization(_) | ServerFnErrorErr::Response(_) => {
                Self::new(RpcErrorKind::Unavailable, "the answer cannot be read: reload the page and try again")
            }
            ServerFnErrorErr::Args(detail) | ServerFnErrorErr::MissingArg(detail) => {
                Self::new(RpcErrorKind::Invalid, format!("the request cannot be used: {detail}"))
            }
            _ => Self::new(RpcErrorKind::Internal, "something went wrong inside Release Manager: its log says why"),
        }
    }
}

#[cfg(feature = "ssr")]
impl From<release_manager::manager::ManagerError> for RpcError {
    fn from(error: release_manager::manager::ManagerError) -> Self {
        use RpcErrorKind as Kind;
        use release_manager::manager::ManagerError as Error;
        use release_manager::ports::LedgerError;

        let kind = match &error {
            Error::UnknownEnvironment(_)
            | Error::UnknownDeployment(_)
            | Error::NotRunning { .. }
            | Error::UnknownRow(_)
            | Error::UnknownRevision(_)
            | Error::OtherEnvironment(..) => Kind::NotFound,
            Error::UnknownService(_)
            | Error::NoOrigin(_)
            | Error::Invalid(_)
            | Error::NotAutomatic(_)
            | Error::TriedBefore(_)
            | Error::StillLive(_)
            | Error::NotProved(_)
            | Error::NoWayBack(_)
            | Error::HealedBefore
            | Error::UnknownWriter { .. }
            | Error::NotLeading { .. }
            | Error::MassRemoval(_)
            | Error::Rewritten { .. }
            | Error::Vanished { .. }
            | Error::StrangerRemoval(_) => Kind::Invalid,
            Error::Busy(id) | Error::Ledger(LedgerError::Busy(id)) => Kind::Busy { id: *id },
            Error::Stale(_) => Kind::Stale,
            Error::UpToDate
            | Error::NothingToPromote(_)
            | Error::Over(_)
            | Error::NotHeld(_)
            | Error::Ledger(LedgerError::Over(_)) => Kind::UpToDate,
            Error::Blocked(_) | Error::Held(..) | Error::Ledger(LedgerError::Held(..)) => Kind::Blocked,
            Error::Internal(_) => {
                tracing::error!(%error, "Could not answer a page");
                Kind::Internal
            }
            Error::Source(_) | Error::Swarm(_) | Error::Stopping | Error::Preparing(_) | Error::TooManyViewers(_) => {
                Kind::Unavailable
            }
            Error::Ledger(failure @ LedgerError::Failed { source, .. }) => {
                tracing::error!(error = %failure, %source, "Could not answer a page");
                return Self::new(Kind::Internal, "the database failed: Release Manager's log says why");
            }
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(feature = "ssr")]
impl From<release_manager::access::AccessError> for RpcError {
    fn from(error: release_manager::access::AccessError) -> Self {
        use release_manager::access::AccessError as Error;

        let kind = match &error {
            Error::UnknownUser(_) | Error::UnknownToken(_) => RpcErrorKind::NotFound,
            Error::Ledger(failure) => {
                tracing::error!(error = %failure, "Could not answer a page");
                return Self::new(RpcErrorKind::Internal, "the database failed: Release Manager's log says why");
            }
            _ => RpcErrorKind::Invalid,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_back_as_it_was_sent() {
        for kind in [RpcErrorKind::NotFound, RpcErrorKind::Busy { id: DeploymentId(7) }, RpcErrorKind::Stale] {
            let sent = RpcError::new(kind, "why");
            assert_eq!(RpcError::de(sent.ser()), sent);
        }
    }

    #[test]
    fn a_proxys_error_page_is_no_answer_but_no_panic_either() {
        let read = RpcError::de("<html>502".into());
        assert_eq!(read.kind, RpcErrorKind::Unavailable);
    }
}
