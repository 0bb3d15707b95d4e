//! The first start: without any user there has to be one who can make the others.

use release_manager::access::{Grant, NewUser};
use release_manager::names::UserName;
use release_manager::ports::Clock;
use secrecy::{ExposeSecret, SecretString};

use super::{Passwords, check_password, secret};
use crate::store::Store;

/// The first admin's name.
const NAME: &str = "admin";

/// What the first start came to.
#[derive(Debug)]
pub enum FirstStart {
    /// There are users.
    NotFirst,
    /// An admin was made with the password of the settings.
    Given,
    /// An admin was made with this password: it is shown once, and nowhere kept.
    MadeUp(SecretString),
}

/// Makes the first admin if there is no user.
pub async fn first_start(store: &Store, clock: &dyn Clock, given: Option<&SecretString>) -> Result<FirstStart, String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    if store.has_users().await.map_err(|error| text(&error))? {
        return Ok(FirstStart::NotFirst);
    }
    let password = match given {
        Some(given) => {
            check_password(given.expose_secret()).map_err(|error| format!("ADMIN_PASSWORD: {error}"))?;
            given.clone()
        }
        None => secret::password().map_err(|error| text(&error))?,
    };
    let passwords = Passwords::new().map_err(|error| text(&error))?;
    let hashed = passwords.hash(password.clone()).await.map_err(|error| text(&error))?;
    let name: UserName = NAME.parse().map_err(|error: release_manager::names::InvalidName| text(&error))?;
    let new = NewUser { name, grant: Grant::admin(), password: Some(hashed) };
    store.add_user(&new, given.is_none(), clock.now()).await.map_err(|error| text(&error))?;
    Ok(if given.is_some() { FirstStart::Given } else { FirstStart::MadeUp(password) })
}
