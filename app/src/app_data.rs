//! Data that several pages share.

use leptos::prelude::*;
use release_manager::views::Overview;

use crate::error::RpcError;
use crate::live::LiveState;
use crate::rpc;

/// The overview, fetched again whenever history or what is current changes.
pub type OverviewResource = Resource<Result<Overview, RpcError>>;

/// Fetches the overview once for all pages.
pub(crate) fn provide_overview(live: LiveState) -> OverviewResource {
    let overview = Resource::new(move || live.epoch(), |_| rpc::overview());
    provide_context(overview);
    overview
}

/// The overview.
pub fn use_overview() -> OverviewResource {
    expect_context()
}
