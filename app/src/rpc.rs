//! The server functions: the pages' own API. Each hands one question or order to the manager.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use release_manager::deployment::HistoryPage;
use release_manager::names::{DeploymentId, EnvironmentName, ServiceName};
use release_manager::views::{Comparison, DeploymentView, Overview};

use crate::error::RpcError;

/// Every environment and what it runs.
#[server(GetOverview, prefix = "/rpc", endpoint = "overview", input = GetUrl)]
pub async fn overview() -> Result<Overview, RpcError> {
    Ok(ssr::manager()?.overview().await?)
}

/// What a promotion to `environment` would do: of everything (`all`), or of these services.
#[server(prefix = "/rpc", endpoint = "compare", input = GetUrl)]
pub async fn compare(
    environment: EnvironmentName,
    #[server(default)] all: bool,
    #[server(default)] services: Vec<ServiceName>,
) -> Result<Comparison, RpcError> {
    Ok(ssr::manager()?.compare(&environment, ssr::scope(all, services)?.as_ref()).await?)
}

/// Promotes everything (`all`), or these services, provided the plan is still the one of the hash `seen`.
#[server(prefix = "/rpc", endpoint = "promote")]
pub async fn promote(
    environment: EnvironmentName,
    #[server(default)] all: bool,
    #[server(default)] services: Vec<ServiceName>,
    seen: String,
) -> Result<DeploymentId, RpcError> {
    let scope = ssr::scope(all, services)?;
    let id = ssr::manager()?.promote(ssr::actor(), &environment, scope, Some(&seen)).await?;
    ssr::show_deployment(id);
    Ok(id)
}

/// Deploys the newest revision again although a machine would not try it twice.
#[server(prefix = "/rpc", endpoint = "retry")]
pub async fn retry(environment: EnvironmentName) -> Result<DeploymentId, RpcError> {
    let id = ssr::manager()?.retry(ssr::actor(), &environment).await?;
    ssr::show_deployment(id);
    Ok(id)
}

/// Stops a deployment at the next safe point.
#[server(prefix = "/rpc", endpoint = "cancel")]
pub async fn cancel(id: DeploymentId) -> Result<(), RpcError> {
    Ok(ssr::manager()?.cancel(ssr::actor(), id).await?)
}

/// One deployment with everything that is known of it.
#[server(prefix = "/rpc", endpoint = "deployment", input = GetUrl)]
pub async fn deployment(id: DeploymentId) -> Result<DeploymentView, RpcError> {
    Ok(ssr::manager()?.deployment(id).await?)
}

/// Rows of history, newest first.
#[server(prefix = "/rpc", endpoint = "history", input = GetUrl)]
pub async fn history(
    #[server(default)] environment: Option<EnvironmentName>,
    #[server(default)] service: Option<ServiceName>,
    limit: u32,
    #[server(default)] offset: u32,
) -> Result<HistoryPage, RpcError> {
    let filter = release_manager::deployment::HistoryFilter { environment, service, deployment: None, limit, offset };
    Ok(ssr::manager()?.history(&filter).await?)
}

#[cfg(feature = "ssr")]
mod ssr {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use leptos::prelude::use_context;
    use release_manager::manager::Manager;
    use release_manager::names::{Actor, DeploymentId, ServiceName};

    use crate::error::{RpcError, RpcErrorKind};

    pub(super) fn manager() -> Result<Arc<Manager>, RpcError> {
        use_context().ok_or_else(|| RpcError::new(RpcErrorKind::Internal, "Release Manager is not ready to answer"))
    }

    /// Nobody has to log in yet: every order of a page is `manual`, as the REST API calls it.
    pub(super) fn actor() -> Actor {
        Actor::Person("manual".to_owned())
    }

    /// Nothing chosen must never mean everything.
    pub(super) fn scope(all: bool, services: Vec<ServiceName>) -> Result<Option<BTreeSet<ServiceName>>, RpcError> {
        match (all, services.is_empty()) {
            (true, _) => Ok(None),
            (false, false) => Ok(Some(services.into_iter().collect())),
            (false, true) => Err(RpcError::new(RpcErrorKind::Invalid, "choose at least one service")),
        }
    }

    /// Takes the browser to the deployment's page, with and without WASM.
    pub(super) fn show_deployment(id: DeploymentId) {
        leptos_axum::redirect(&format!("/deployments/{id}"));
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn nothing_chosen_is_refused_and_never_means_everything() {
            assert!(scope(false, vec![]).is_err());
            assert_eq!(scope(true, vec![]).unwrap(), None);
            assert_eq!(scope(false, vec!["web".parse().unwrap()]).unwrap().unwrap().len(), 1);
        }
    }
}
