//! The environments as releases flow through them, and what waits to be promoted.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::{Loaded, Room};
use crate::parts::{Dashboard, DashboardData};

/// `/`
#[component]
pub fn DashboardPage() -> impl IntoView {
    let data = Resource::new(|| (), |()| DashboardData::ask());
    view! {
        <Title text="Dashboard"/>
        <Loaded resource=data let:data>
            <Room part="dashboard" data draw=|data| view! { <Dashboard data/> }.into_any()/>
        </Loaded>
    }
}
