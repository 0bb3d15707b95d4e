//! Where the log of a service is drawn, by the browser: it is live, and so needs scripts.

use leptos::prelude::*;
use release_manager::access::Operation;
use release_manager::names::{EnvironmentName, ServiceName};

use crate::access::use_looker;

/// Room for a log, and what one may read there.
#[component]
pub fn LogPlace(
    service: ServiceName,
    /// Where it runs.
    environments: Vec<EnvironmentName>,
) -> impl IntoView {
    let looker = use_looker();
    let readable: Vec<&str> = environments
        .iter()
        .filter(|name| looker.may_in(Operation::ReadLogs, name))
        .map(EnvironmentName::as_str)
        .collect();
    let note = match (environments.is_empty(), readable.is_empty()) {
        (true, _) => "It runs nowhere.",
        (false, true) => "To read logs one must be a deployer there: ask an admin.",
        (false, false) => "Choose an environment to see its log as it is written.",
    };
    view! {
        <div
            id=format!("log-{service}")
            class="after-wasm"
            data-client=""
            data-log=service.to_string()
            data-readable=readable.join(" ")
            data-note=note
        ></div>
    }
}
