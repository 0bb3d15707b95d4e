//! The pages: each fetches its data and hands it to components.

mod changes;
mod dashboard;
mod deployment;
mod health;
mod history;
mod not_found;

pub use changes::ChangesPage;
pub use dashboard::DashboardPage;
pub use deployment::DeploymentPage;
pub use health::HealthPage;
pub use history::HistoryPage;
pub use not_found::NotFoundPage;
