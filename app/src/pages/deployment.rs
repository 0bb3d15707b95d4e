//! One deployment: its progress while it runs, its evidence for ever after.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use release_manager::names::DeploymentId;

use crate::components::{Loaded, PageHead, Room};
use crate::pages::NotFoundPage;
use crate::parts::DeploymentProgress;
use crate::rpc;

/// `/deployments/:id`
#[component]
pub fn DeploymentPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| {
        params.with(|params| params.get_str("id").and_then(|id| id.parse::<i64>().ok()).map(DeploymentId))
    });
    move || match id.get() {
        Some(id) => view! { <Deployment id/> }.into_any(),
        None => view! { <NotFoundPage/> }.into_any(),
    }
}

#[component]
fn Deployment(id: DeploymentId) -> impl IntoView {
    let deployment = Resource::new(|| (), move |()| rpc::deployment(id));
    view! {
        <PageHead title=format!("Deployment {id}")/>
        <Loaded resource=deployment let:data>
            <Room part="deployment" data draw=|data| view! { <DeploymentProgress data/> }.into_any()/>
        </Loaded>
    }
}
