//! Where one comes in, and who watches it: what `serve` and `demo` need of the login.

use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::ExposeSecret;
use tracing::info;

use super::Failure;
use crate::SystemClock;
use crate::auth::{Auth, AuthSettings, Doorkeeper, FirstStart, first_start};
use crate::http::Tls;
use crate::store::Store;

/// Where one comes in, and who watches it.
pub(super) struct Door {
    pub(super) listen: SocketAddr,
    pub(super) keeper: Arc<Doorkeeper>,
    pub(super) settings: AuthSettings,
    pub(super) tls: Option<Tls>,
}

impl Door {
    pub(super) fn new(
        store: &Arc<Store>,
        settings: AuthSettings,
        listen: SocketAddr,
        tls: Option<Tls>,
    ) -> Result<Self, Failure> {
        let keeper = Doorkeeper::new(Arc::clone(store), Arc::new(SystemClock)).map_err(Failure::new)?;
        Ok(Self { listen, keeper: Arc::new(keeper), settings, tls })
    }

    pub(super) fn keeper(&self) -> &Doorkeeper {
        &self.keeper
    }
}

/// Without any user there has to be one who can make the others. A made-up password is shown this once.
pub(super) async fn first_admin(store: &Store, settings: &AuthSettings) -> Result<(), Failure> {
    use std::io::Write;
    if settings.auth == Auth::None {
        return Ok(());
    }
    match first_start(store, &SystemClock, settings.admin_password.as_ref()).await.map_err(Failure::setting)? {
        FirstStart::NotFirst => {
            if settings.admin_password.is_some() {
                info!(
                    "ADMIN_PASSWORD is not used: there are users. Change a password with `release-manager user passwd`"
                );
            }
        }
        FirstStart::Given => info!("User `admin` was made with the password of ADMIN_PASSWORD"),
        FirstStart::MadeUp(password) => {
            let password = password.expose_secret();
            let lines = format!(
                "\n  Log in as   admin\n  Password    {password}\n\nIt is shown this once: change it after the login.\n"
            );
            // Not a line of the log: logs are collected and kept.
            writeln!(std::io::stderr(), "{lines}").map_err(Failure::new)?;
        }
    }
    Ok(())
}
