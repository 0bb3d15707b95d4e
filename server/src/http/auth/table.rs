//! Which operation every route is. What stands in no table takes the highest role, and a test names it.

use std::collections::HashMap;

use http::Method;
use release_manager::access::Operation;

/// What a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing, and nobody is looked for: assets, signs of life.
    Open,
    /// Nothing, but it is looked who it is: the page to log in.
    Public,
    /// The role of the operation.
    Needs(Operation),
}

/// The routes of programs, as the router has them. Pages stand in `app::access::PAGES`, server functions in
/// `app::access::SERVER_FUNCTIONS`.
pub(in crate::http) const ROUTES: &[(Method, &str, Access)] = {
    use Access::{Needs, Open, Public};
    use Operation as O;
    &[
        (Method::GET, "/healthz", Open),
        (Method::GET, "/pkg/{build}/{*file}", Open),
        (Method::POST, "/login", Public),
        (Method::POST, "/logout", Public),
        (Method::GET, "/login/oidc", Public),
        (Method::GET, "/login/oidc/callback", Public),
        // Signed by the git host.
        (Method::POST, "/api/webhooks/{forge}", Open),
        (Method::GET, "/api/me", Needs(O::View)),
        (Method::GET, "/readyz", Open),
        (Method::GET, "/metrics", Needs(O::View)),
        (Method::GET, "/api/docs", Public),
        (Method::GET, "/api/openapi.json", Public),
        (Method::GET, "/problems/{slug}", Public),
        (Method::GET, "/api/events", Needs(O::View)),
        (Method::GET, "/api/status", Needs(O::View)),
        (Method::GET, "/api/environments", Needs(O::View)),
        (Method::GET, "/api/diff", Needs(O::View)),
        (Method::GET, "/api/history", Needs(O::View)),
        (Method::GET, "/api/history/export", Needs(O::View)),
        (Method::GET, "/api/health", Needs(O::View)),
        (Method::GET, "/api/health/{environment}/{service}", Needs(O::View)),
        (Method::GET, "/api/drift", Needs(O::View)),
        (Method::GET, "/api/logs/{environment}/{service}", Needs(O::ReadLogs)),
        (Method::POST, "/api/deploy/{environment}", Needs(O::Promote)),
        (Method::GET, "/api/deploy/{environment}/{id}", Needs(O::View)),
        (Method::GET, "/api/deployments/{id}", Needs(O::View)),
        (Method::GET, "/api/plan/{environment}", Needs(O::View)),
        (Method::GET, "/api/releases", Needs(O::View)),
        (Method::GET, "/api/releases/{id}", Needs(O::View)),
        (Method::GET, "/api/source", Needs(O::View)),
        (Method::POST, "/api/sync", Needs(O::CheckSource)),
        (Method::POST, "/api/deploy/cancel/{id}", Needs(O::Cancel)),
        (Method::GET, "/api/rollback/{environment}", Needs(O::View)),
        (Method::POST, "/api/rollback/{environment}", Needs(O::RollBack)),
        (Method::POST, "/api/environments/{environment}/hold", Needs(O::Hold)),
        (Method::POST, "/api/environments/{environment}/resume", Needs(O::Hold)),
        (Method::POST, "/api/sync/{environment}", Needs(O::Sync)),
        (Method::POST, "/api/retry/{environment}", Needs(O::Retry)),
        (Method::POST, "/api/restart/{environment}/{service}", Needs(O::Restart)),
        (Method::GET, "/api/users", Needs(O::ManageAccess)),
        (Method::POST, "/api/users", Needs(O::ManageAccess)),
        (Method::PATCH, "/api/users/{name}", Needs(O::ManageAccess)),
        (Method::GET, "/api/tokens", Needs(O::ManageAccess)),
        (Method::POST, "/api/tokens", Needs(O::ManageAccess)),
        (Method::DELETE, "/api/tokens/{name}", Needs(O::ManageAccess)),
        (Method::GET, "/api/audit", Needs(O::ReadAudit)),
        (Method::GET, "/api/{*rest}", Needs(O::View)),
        (Method::POST, "/api/{*rest}", Needs(O::View)),
        (Method::PUT, "/api/{*rest}", Needs(O::View)),
        (Method::PATCH, "/api/{*rest}", Needs(O::View)),
        (Method::DELETE, "/api/{*rest}", Needs(O::View)),
    ]
};

/// What a route takes, by its method and its path as the router has it; `None` where it stands in no table.
pub fn access_of(method: &Method, path: &str) -> Option<Access> {
    Table::new().find(method, path)
}

/// All tables as one.
pub(in crate::http) struct Table(HashMap<String, Vec<(Method, Access)>>);

impl Table {
    pub(super) fn new() -> Self {
        let mut table = Self(HashMap::new());
        for (method, path, access) in ROUTES {
            table.add(method.clone(), path, *access);
        }
        for (path, operation) in app::access::PAGES {
            table.add(Method::GET, path, operation.map_or(Access::Public, Access::Needs));
        }
        for (path, operation) in app::access::SERVER_FUNCTIONS {
            for method in [Method::GET, Method::POST] {
                table.add(method, path, Access::Needs(*operation));
            }
        }
        table
    }

    fn add(&mut self, method: Method, path: &str, access: Access) {
        self.0.entry(path.to_owned()).or_default().push((method, access));
    }

    /// What the route takes; `None` where it stands in no table.
    pub(in crate::http) fn find(&self, method: &Method, path: &str) -> Option<Access> {
        // HEAD is GET without the body.
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.0.get(path)?.iter().find(|(known, _)| known == method).map(|(_, access)| *access)
    }
}

/// The value of `{environment}` in a path that has matched.
pub(super) fn environment<'a>(matched: &str, path: &'a str) -> Option<&'a str> {
    let place = matched.split('/').position(|part| part == "{environment}")?;
    path.split('/').nth(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_where_the_route_has_it() {
        assert_eq!(environment("/api/deploy/{environment}", "/api/deploy/prod"), Some("prod"));
        assert_eq!(environment("/api/deploy/{environment}/{id}", "/api/deploy/prod/7"), Some("prod"));
        assert_eq!(environment("/api/deploy/cancel/{id}", "/api/deploy/cancel/7"), None);
    }

    #[test]
    fn what_stands_in_no_table_is_not_found() {
        let table = Table::new();
        assert_eq!(table.find(&Method::HEAD, "/api/status"), Some(Access::Needs(Operation::View)));
        assert_eq!(table.find(&Method::DELETE, "/api/status"), None);
        assert_eq!(table.find(&Method::GET, "/api/new"), None);
    }
}
