//! Who looks at the page, what they may do, and which operation every page and every server function is. Whatever
//! stands in no table takes the highest role.

use leptos::prelude::*;
use release_manager::access::{Operation, Visit};
use release_manager::names::EnvironmentName;

/// The pages, as the server's router has them. `None`: everybody may see it, also who is not logged in.
pub const PAGES: &[(&str, Option<Operation>)] = &[
    ("/", Some(Operation::View)),
    ("/changes/{environment}", Some(Operation::View)),
    ("/deployments/{id}", Some(Operation::View)),
    ("/rollback/{environment}/{id}", Some(Operation::View)),
    ("/history", Some(Operation::View)),
    ("/health", Some(Operation::View)),
    ("/services/{service}", Some(Operation::View)),
    ("/insights", Some(Operation::View)),
    ("/settings", Some(Operation::View)),
    ("/settings/about", Some(Operation::View)),
    ("/login", None),
    ("/account", Some(Operation::View)),
    ("/settings/users", Some(Operation::View)),
    ("/settings/tokens", Some(Operation::View)),
    ("/audit", Some(Operation::View)),
];

/// The server functions. Each asks again, with the environment, before it does anything.
pub const SERVER_FUNCTIONS: &[(&str, Operation)] = &[
    ("/rpc/overview", Operation::View),
    ("/rpc/places", Operation::View),
    ("/rpc/compare", Operation::View),
    ("/rpc/deployment", Operation::View),
    ("/rpc/history", Operation::View),
    ("/rpc/commits", Operation::View),
    ("/rpc/timeline", Operation::View),
    ("/rpc/tasks", Operation::View),
    ("/rpc/spec", Operation::View),
    ("/rpc/close_looks", Operation::View),
    ("/rpc/insights", Operation::View),
    ("/rpc/setup", Operation::View),
    ("/rpc/notifications", Operation::View),
    ("/rpc/about", Operation::View),
    ("/rpc/promote", Operation::Promote),
    ("/rpc/sync", Operation::Sync),
    ("/rpc/retry", Operation::Retry),
    ("/rpc/cancel", Operation::Cancel),
    ("/rpc/rollback-plan", Operation::View),
    ("/rpc/rollback", Operation::RollBack),
    ("/rpc/hold", Operation::Hold),
    ("/rpc/resume", Operation::Hold),
    ("/rpc/restart", Operation::Restart),
    ("/rpc/own_sessions", Operation::OwnAccount),
    ("/rpc/change_password", Operation::OwnAccount),
    ("/rpc/end_own_sessions", Operation::OwnAccount),
    ("/rpc/users", Operation::ManageAccess),
    ("/rpc/add_user", Operation::ManageAccess),
    ("/rpc/set_role", Operation::ManageAccess),
    ("/rpc/set_password", Operation::ManageAccess),
    ("/rpc/set_disabled", Operation::ManageAccess),
    ("/rpc/tokens", Operation::ManageAccess),
    ("/rpc/create_token", Operation::ManageAccess),
    ("/rpc/revoke_token", Operation::ManageAccess),
    ("/rpc/audit", Operation::ReadAudit),
];

/// The ways to log in besides a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doors {
    /// There is an identity provider.
    pub provider: bool,
}

impl Doors {
    /// What the server says.
    pub(crate) fn known() -> Self {
        use_context::<Self>().unwrap_or(Self { provider: false })
    }
}

/// Who looks at the page; `None` where nobody has logged in.
#[derive(Debug, Clone, PartialEq)]
pub struct Looker(Option<Visit>);

impl Looker {
    /// Knows it for the page that is drawn.
    pub(crate) fn provide() -> Self {
        let looker = Self(ssr::visit());
        provide_context(looker.clone());
        looker
    }

    /// Who it is.
    pub fn visit(&self) -> Option<&Visit> {
        self.0.as_ref()
    }

    /// Whether anything but the page to log in can be shown.
    pub fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// Whether they may do something that concerns the whole installation.
    pub fn may(&self, operation: Operation) -> bool {
        self.0.as_ref().is_some_and(|visit| visit.principal.may(operation).is_ok())
    }

    /// Whether they may do something to an environment.
    pub fn may_in(&self, operation: Operation, environment: &EnvironmentName) -> bool {
        self.0.as_ref().is_some_and(|visit| visit.principal.may_in(operation, environment).is_ok())
    }
}

/// Who looks at the page.
pub fn use_looker() -> Looker {
    use_context().unwrap_or(Looker(None))
}

pub(crate) mod ssr {
    //! The server functions' way to the manager: there is none without asking whether they may.

    use std::fmt::Display;
    use std::sync::Arc;

    use axum::http::StatusCode;
    use axum::http::request::Parts;
    use leptos::prelude::use_context;
    use leptos_axum::ResponseOptions;
    use release_manager::access::{Accounts, AuditResult, Denied, Operation, Principal, Shown, Trail, Visit};
    use release_manager::manager::{Manager, ManagerError};
    use release_manager::names::{Actor, EnvironmentName};
    use release_manager::notice::Told;
    use release_manager::ports::Audience;

    use crate::error::{RpcError, RpcErrorKind};

    /// Who asks, as the gate has found it.
    pub(crate) fn visit() -> Option<Visit> {
        use_context::<Parts>()?.extensions.get::<Visit>().cloned()
    }

    fn asking() -> Result<Visit, RpcError> {
        visit().ok_or_else(|| RpcError::new(RpcErrorKind::LoggedOut, "you are not logged in any more: log in again"))
    }

    /// The manager, for a question of somebody who may look.
    pub(crate) fn manager() -> Result<Arc<Manager>, RpcError> {
        allow(Operation::View)?;
        not_ready(use_context())
    }

    /// Who is told of what happens, for somebody who may look.
    pub(crate) async fn told() -> Result<Vec<Told>, RpcError> {
        let visit = allow(Operation::View)?;
        let audience: Arc<dyn Audience> = not_ready(use_context())?;
        let told = audience.told().await.map_err(ManagerError::from)?;
        Ok(told.into_iter().map(|place| place.shown_to(&visit.principal)).collect())
    }

    /// An answer of the manager, as who asks may see it.
    pub(crate) fn shown<T: Shown>(answer: T) -> Result<T, RpcError> {
        Ok(asking()?.principal.shown(answer))
    }

    /// The manager and the name for history, for an order of somebody who may give it there.
    pub(crate) fn order(
        operation: Operation,
        environment: &EnvironmentName,
    ) -> Result<(Arc<Manager>, Actor), RpcError> {
        let visit = asking()?;
        note(|trail| trail.target(environment));
        checked(visit.principal.may_in(operation, environment))?;
        Ok((not_ready(use_context())?, visit.principal.actor()))
    }

    /// Users and tokens, for somebody who may.
    pub(crate) fn accounts(operation: Operation) -> Result<(Arc<dyn Accounts>, Visit), RpcError> {
        let visit = allow(operation)?;
        Ok((not_ready(use_context())?, visit))
    }

    fn allow(operation: Operation) -> Result<Visit, RpcError> {
        let visit = asking()?;
        checked(visit.principal.may(operation))?;
        Ok(visit)
    }

    fn checked(answer: Result<(), Denied>) -> Result<(), RpcError> {
        answer.map_err(|denied| {
            note(|trail| trail.ended(AuditResult::Refused, &denied));
            if let Some(response) = use_context::<ResponseOptions>() {
                response.set_status(StatusCode::FORBIDDEN);
            }
            RpcError::new(RpcErrorKind::Forbidden, denied.to_string())
        })
    }

    /// For the audit log.
    pub(crate) fn note_target(target: &(impl Display + ?Sized)) {
        note(|trail| trail.target(target));
    }

    /// For the audit log. Never a secret.
    pub(crate) fn note_detail(detail: &(impl Display + ?Sized)) {
        note(|trail| trail.detail(detail));
    }

    fn note(write: impl FnOnce(&Trail)) {
        if let Some(trail) = use_context::<Parts>().as_ref().and_then(|parts| parts.extensions.get::<Trail>()) {
            write(trail);
        }
    }

    fn not_ready<T>(found: Option<T>) -> Result<T, RpcError> {
        found.ok_or_else(|| RpcError::new(RpcErrorKind::Internal, "Release Manager is not ready to answer"))
    }

    /// The name of the person, for what concerns their own account.
    pub(crate) fn own_name(principal: &Principal) -> Result<release_manager::names::UserName, RpcError> {
        match &principal.who {
            release_manager::access::Who::Person(name) => Ok(name.clone()),
            _ => Err(RpcError::new(RpcErrorKind::Invalid, "only a person has an account")),
        }
    }
}
