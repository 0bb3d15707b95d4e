//! The pages: each fetches its data and hands it to components.

mod access;
mod changes;
mod dashboard;
mod deployment;
mod health;
mod history;
mod insights;
mod not_found;
mod rollback;
mod service;
mod settings;

pub use access::{AccountPage, AuditPage, LoginPage, TokensPage, UsersPage};
pub use changes::ChangesPage;
pub use dashboard::DashboardPage;
pub use deployment::DeploymentPage;
pub use health::HealthPage;
pub use history::HistoryPage;
pub use insights::InsightsPage;
pub use not_found::NotFoundPage;
pub use rollback::{RollbackPage, rollback_url};
pub use service::ServicePage;
pub use settings::{AboutPage, SettingsPage};
