//! Data that several pages share.

use leptos::prelude::*;
use release_manager::views::Overview;

use crate::error::RpcError;
use crate::rpc;

/// The overview.
pub type OverviewResource = Resource<Result<Overview, RpcError>>;

/// Fetches the overview once for the whole page.
pub(crate) fn provide_overview() -> OverviewResource {
    let overview = Resource::new(|| (), |()| rpc::overview());
    provide_context(overview);
    overview
}

/// The overview.
pub fn use_overview() -> OverviewResource {
    expect_context()
}
