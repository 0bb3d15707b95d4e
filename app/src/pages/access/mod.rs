//! The pages about who may come in.

mod account;
mod audit;
mod forms;
mod login;
mod tokens;
mod users;

pub use account::AccountPage;
pub(crate) use account::name;
pub use audit::AuditPage;
pub use login::LoginPage;
pub use tokens::TokensPage;
pub use users::UsersPage;
