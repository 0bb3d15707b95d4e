//! Changes are carried out as a whole. hyper drops the work for a request whose client goes away, wherever it stands: a
//! change would be cut off half-way, or done without a line in the audit log.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::error::Problem;

/// Does the work to its end, whether or not somebody still waits for the answer.
pub(super) async fn to_the_end(tasks: &TaskTracker, work: impl Future<Output = Response> + Send + 'static) -> Response {
    match tasks.spawn(work.in_current_span()).await {
        Ok(response) => response,
        Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
        Err(_) => {
            let detail = "Release Manager is stopping: try again in a moment".to_owned();
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", detail).into_response()
        }
    }
}
