//! The server functions: the pages' own API. Each hands one question or order to the manager, which it gets only for
//! somebody who may ask or order that. A new one gets its line in `access::SERVER_FUNCTIONS`.

use std::collections::BTreeMap;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use release_manager::deployment::{HistoryFilter, HistoryPage};
use release_manager::names::{CommitSha, DeploymentId, EnvironmentName, HoldReason, ServiceName};
use release_manager::views::{Comparison, DeploymentView, Overview, RollbackPlan};

#[cfg(feature = "ssr")]
use crate::access::ssr as access;
use crate::error::RpcError;
use crate::read::Picked;
use crate::view::Place;
#[cfg(feature = "ssr")]
use release_manager::access::Operation;

/// What is drawn of every service, by its environment.
pub type DrawnLooks = BTreeMap<EnvironmentName, BTreeMap<ServiceName, String>>;

/// Every environment and what it runs.
#[server(GetOverview, prefix = "/rpc", endpoint = "overview", input = GetUrl, output = Picked)]
pub async fn overview() -> Result<Overview, RpcError> {
    Ok(access::manager()?.overview().await?)
}

/// Every place that the palette leads to.
#[server(GetPlaces, prefix = "/rpc", endpoint = "places", input = GetUrl, output = Picked)]
pub async fn places() -> Result<Vec<Place>, RpcError> {
    Ok(crate::view::places(Some(&access::manager()?.overview().await?)))
}

/// What a promotion to `environment` would do: of everything (`all`), or of these services.
#[server(prefix = "/rpc", endpoint = "compare", input = GetUrl, output = Picked)]
pub async fn compare(
    environment: EnvironmentName,
    #[server(default)] all: bool,
    #[server(default)] services: Vec<ServiceName>,
) -> Result<Comparison, RpcError> {
    Ok(access::manager()?.compare(&environment, ssr::scope(all, services)?.as_ref()).await?)
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
    let (manager, actor) = access::order(Operation::Promote, &environment)?;
    let id = manager.promote(actor, &environment, scope, Some(&seen)).await?;
    ssr::show_deployment(id);
    Ok(id)
}

/// Deploys the newest revision again although a machine would not try it twice.
#[server(prefix = "/rpc", endpoint = "retry")]
pub async fn retry(environment: EnvironmentName) -> Result<DeploymentId, RpcError> {
    let retried = async {
        let (manager, actor) = access::order(Operation::Retry, &environment)?;
        Ok(manager.retry(actor, &environment).await?)
    };
    let id = ssr::to(&environment, retried).await?;
    ssr::show_deployment(id);
    Ok(id)
}

/// Looks at the source at once, and brings an environment that follows it to its newest revision; `None` where that is
/// there already.
#[server(SyncNow, prefix = "/rpc", endpoint = "sync", output = Picked)]
pub async fn sync(environment: EnvironmentName) -> Result<Option<DeploymentId>, RpcError> {
    let synced = async {
        let (manager, actor) = access::order(Operation::Sync, &environment)?;
        Ok(manager.sync(actor, &environment).await?)
    };
    match ssr::to(&environment, synced).await {
        Ok(id) => {
            ssr::show_deployment(id);
            Ok(Some(id))
        }
        Err(error) if error.kind == crate::error::RpcErrorKind::UpToDate => Ok(None),
        Err(error) => Err(error),
    }
}

/// Stops a deployment at the next safe point; with `go_back` what it has written is put back as it was before.
#[server(prefix = "/rpc", endpoint = "cancel")]
pub async fn cancel(id: DeploymentId, #[server(default)] go_back: bool) -> Result<(), RpcError> {
    let environment = access::manager()?.deployment(id).await?.deployment.environment;
    let (manager, actor) = access::order(Operation::Cancel, &environment)?;
    access::note_detail(&format_args!("deployment {id}"));
    Ok(manager.cancel(actor, id, go_back).await?)
}

/// What a rollback of `environment` to the release of deployment `to` would do: of everything (`all`), or of these
/// services.
#[server(GetRollbackPlan, prefix = "/rpc", endpoint = "rollback-plan", input = GetUrl)]
pub async fn rollback_plan(
    environment: EnvironmentName,
    to: DeploymentId,
    #[server(default)] all: bool,
    #[server(default)] services: Vec<ServiceName>,
) -> Result<RollbackPlan, RpcError> {
    let scope = ssr::scope(all, services)?;
    Ok(access::manager()?.plan_rollback(&environment, to, scope.as_ref()).await?)
}

/// Restores everything (`all`), or these services, as deployment `to` left them, provided the plan is still the one of
/// the hash `seen`.
#[server(prefix = "/rpc", endpoint = "rollback")]
pub async fn rollback(
    environment: EnvironmentName,
    to: DeploymentId,
    #[server(default)] all: bool,
    #[server(default)] services: Vec<ServiceName>,
    seen: String,
) -> Result<DeploymentId, RpcError> {
    let scope = ssr::scope(all, services)?;
    let (manager, actor) = access::order(Operation::RollBack, &environment)?;
    let id = manager.roll_back(actor, &environment, to, scope, Some(&seen)).await?;
    ssr::show_deployment(id);
    Ok(id)
}

/// Brings nothing new to an environment until it is resumed.
#[server(prefix = "/rpc", endpoint = "hold")]
pub async fn hold(environment: EnvironmentName, reason: HoldReason) -> Result<(), RpcError> {
    let held = async {
        let (manager, actor) = access::order(Operation::Hold, &environment)?;
        manager.hold(actor, &environment, reason).await?;
        Ok(())
    };
    ssr::to(&environment, held).await
}

/// Ends the hold of an environment.
#[server(prefix = "/rpc", endpoint = "resume")]
pub async fn resume(environment: EnvironmentName) -> Result<(), RpcError> {
    let resumed = async {
        let (manager, actor) = access::order(Operation::Hold, &environment)?;
        Ok(manager.resume(actor, &environment).await?)
    };
    ssr::to(&environment, resumed).await
}

/// Starts all tasks of a service anew.
#[server(prefix = "/rpc", endpoint = "restart")]
pub async fn restart(environment: EnvironmentName, service: ServiceName) -> Result<DeploymentId, RpcError> {
    let (manager, actor) = access::order(Operation::Restart, &environment)?;
    let id = manager.restart(actor, &environment, &service).await?;
    ssr::show_deployment(id);
    Ok(id)
}

/// One deployment with everything that is known of it.
#[server(prefix = "/rpc", endpoint = "deployment", input = GetUrl, output = Picked)]
pub async fn deployment(id: DeploymentId) -> Result<DeploymentView, RpcError> {
    access::shown(access::manager()?.deployment(id).await?)
}

/// Rows of history, newest first.
#[server(prefix = "/rpc", endpoint = "history", input = GetUrl)]
pub async fn history(filter: HistoryFilter) -> Result<HistoryPage, RpcError> {
    access::shown(access::manager()?.history(&filter).await?)
}

/// What was committed between two revisions, drawn.
#[server(prefix = "/rpc", endpoint = "commits", input = GetUrl, output = Picked)]
pub async fn commits(from: CommitSha, to: CommitSha) -> Result<String, RpcError> {
    let manager = access::manager()?;
    let commits = manager.commits(&from, &to).await?;
    let host = manager.live().borrow().source.commit_url.clone();
    Ok(crate::drawn::commits(&commits, host.as_deref(), [&from, &to]))
}

/// The versions of a service over time in every environment, drawn.
#[server(prefix = "/rpc", endpoint = "timeline", input = GetUrl)]
pub async fn timeline(service: ServiceName) -> Result<String, RpcError> {
    let manager = access::manager()?;
    let filter = HistoryFilter { service: Some(service.clone()), limit: 500, ..HistoryFilter::default() };
    let rows = manager.history(&filter).await?.rows;
    let environments = manager.overview().await?.environments.into_iter().map(|known| {
        let release = known.release.as_ref();
        let version = release.and_then(|release| release.services.get(&service)).map(|known| known.version.to_string());
        (known.name, version)
    });
    Ok(crate::drawn::timeline(&rows, &environments.collect::<Vec<_>>(), crate::clock::wall_clock()))
}

/// The tasks of a service in every environment, drawn.
#[server(prefix = "/rpc", endpoint = "tasks", input = GetUrl)]
pub async fn tasks(service: ServiceName) -> Result<String, RpcError> {
    Ok(crate::drawn::tasks(&access::manager()?.running_service(&service).await?))
}

/// The tasks of every service in every environment, and the last log lines of those that fail for who may read them, drawn.
#[server(prefix = "/rpc", endpoint = "close_looks", input = GetUrl)]
pub async fn close_looks() -> Result<DrawnLooks, RpcError> {
    let looks = access::shown(access::manager()?.close_looks().await)?;
    let drawn = looks.0.into_iter().map(|(environment, services)| {
        let services = services.into_iter().map(|(service, look)| (service, crate::drawn::close_look(&look)));
        (environment, services.collect())
    });
    Ok(drawn.collect())
}

/// The spec of a service as it runs in every environment, without what may be secret, drawn.
#[server(prefix = "/rpc", endpoint = "spec", input = GetUrl)]
pub async fn spec(service: ServiceName) -> Result<String, RpcError> {
    Ok(crate::drawn::spec(&access::manager()?.running_service(&service).await?))
}

/// How often, how fast and how well each environment is deployed to, drawn. `span` is a word of [`view::Span`].
///
/// [`view::Span`]: crate::view::Span
#[server(prefix = "/rpc", endpoint = "insights", input = GetUrl)]
pub async fn insights(span: String) -> Result<String, RpcError> {
    let span = crate::view::Span::of_word(&span);
    let steps = release_manager::insights::Span { steps: span.steps(), days: span.days() };
    let (now, insights) = access::manager()?.insights(steps).await?;
    Ok(crate::drawn::insights(&insights, steps, now))
}

/// What Release Manager follows, and in which rhythm, drawn.
#[server(prefix = "/rpc", endpoint = "setup", input = GetUrl)]
#[allow(clippy::unused_async, reason = "a server function is asynchronous, whatever it does")]
pub async fn setup() -> Result<String, RpcError> {
    Ok(crate::drawn::setup(&access::manager()?.setup()))
}

/// Who is told of what happens, and how that goes, drawn.
#[server(prefix = "/rpc", endpoint = "notifications", input = GetUrl)]
pub async fn notifications() -> Result<String, RpcError> {
    Ok(crate::drawn::told(&access::told().await?))
}

/// What this program is and what it is made of, drawn.
#[server(prefix = "/rpc", endpoint = "about", input = GetUrl)]
#[allow(clippy::unused_async, reason = "a server function is asynchronous, whatever it does")]
pub async fn about() -> Result<String, RpcError> {
    Ok(crate::drawn::about())
}

#[cfg(feature = "ssr")]
mod ssr {
    use std::collections::BTreeSet;

    use release_manager::names::{DeploymentId, EnvironmentName, ServiceName};

    use crate::error::{RpcError, RpcErrorKind};

    /// An order to an environment; its refusal says to which, so that a page with several says it at the right one.
    pub(super) async fn to<T>(
        environment: &EnvironmentName,
        order: impl Future<Output = Result<T, RpcError>>,
    ) -> Result<T, RpcError> {
        order.await.map_err(|error| RpcError { environment: Some(environment.clone()), ..error })
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
        crate::access::ssr::note_detail(&format_args!("deployment {id}"));
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
