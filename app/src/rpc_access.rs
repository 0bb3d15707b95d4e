//! The server functions about one's own account, users, tokens and the audit log.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use release_manager::access::{AuditPage, Role, Session, Token, User};
use release_manager::names::{EnvironmentName, TokenName, UserName};

use crate::error::RpcError;

#[cfg(feature = "ssr")]
use crate::access::ssr as access;
#[cfg(feature = "ssr")]
use release_manager::access::Operation;

/// Where one is logged in.
#[server(prefix = "/rpc", endpoint = "own_sessions", input = GetUrl)]
pub async fn own_sessions() -> Result<Vec<Session>, RpcError> {
    let (accounts, visit) = access::accounts(Operation::OwnAccount)?;
    Ok(accounts.sessions(&access::own_name(&visit.principal)?, visit.session).await?)
}

/// Changes one's own password, and ends all other sessions.
#[server(prefix = "/rpc", endpoint = "change_password")]
pub async fn change_password(current: String, new: String, again: String) -> Result<(), RpcError> {
    let (accounts, visit) = access::accounts(Operation::OwnAccount)?;
    let name = access::own_name(&visit.principal)?;
    access::note_target(&format_args!("user {name}"));
    access::note_detail("changes the own password");
    ssr::same(&new, &again)?;
    Ok(accounts.change_password(&name, visit.session, current, new).await?)
}

/// Ends one of one's own sessions, or all of them.
#[server(prefix = "/rpc", endpoint = "end_own_sessions")]
pub async fn end_own_sessions(#[server(default)] id: Option<i64>) -> Result<(), RpcError> {
    let (accounts, visit) = access::accounts(Operation::OwnAccount)?;
    let name = access::own_name(&visit.principal)?;
    access::note_target(&format_args!("user {name}"));
    access::note_detail(if id.is_some() { "ends an own session" } else { "ends all own sessions" });
    Ok(accounts.end_sessions(&name, id).await?)
}

/// All users.
#[server(GetUsers, prefix = "/rpc", endpoint = "users", input = GetUrl)]
pub async fn users() -> Result<Vec<User>, RpcError> {
    Ok(access::accounts(Operation::ManageAccess)?.0.users().await?)
}

/// Adds a user.
#[server(prefix = "/rpc", endpoint = "add_user")]
pub async fn add_user(
    name: String,
    password: String,
    role: Role,
    #[server(default)] environments: Vec<EnvironmentName>,
) -> Result<(), RpcError> {
    let (accounts, _) = access::accounts(Operation::ManageAccess)?;
    let name: UserName = ssr::read(&name)?;
    let grant = ssr::grant(role, environments)?;
    access::note_target(&format_args!("user {name}"));
    access::note_detail(&format_args!("added as {grant}"));
    let password = Some(password).filter(|password| !password.is_empty());
    Ok(accounts.add_user(release_manager::access::NewUser { name, grant, password }).await?)
}

/// Changes what a user may do.
#[server(prefix = "/rpc", endpoint = "set_role")]
pub async fn set_role(
    name: UserName,
    role: Role,
    #[server(default)] environments: Vec<EnvironmentName>,
) -> Result<(), RpcError> {
    let (accounts, _) = access::accounts(Operation::ManageAccess)?;
    let grant = ssr::grant(role, environments)?;
    access::note_target(&format_args!("user {name}"));
    access::note_detail(&format_args!("is {grant} now"));
    Ok(accounts.set_grant(&name, grant).await?)
}

/// Gives a user another password.
#[server(prefix = "/rpc", endpoint = "set_password")]
pub async fn set_password(name: UserName, password: String) -> Result<(), RpcError> {
    let (accounts, _) = access::accounts(Operation::ManageAccess)?;
    access::note_target(&format_args!("user {name}"));
    access::note_detail("gets another password");
    Ok(accounts.set_password(&name, password).await?)
}

/// Shuts a user out, or lets them in again.
#[server(prefix = "/rpc", endpoint = "set_disabled")]
pub async fn set_disabled(name: UserName, disabled: bool) -> Result<(), RpcError> {
    let (accounts, _) = access::accounts(Operation::ManageAccess)?;
    access::note_target(&format_args!("user {name}"));
    access::note_detail(if disabled { "is shut out" } else { "may come in again" });
    Ok(accounts.set_disabled(&name, disabled).await?)
}

/// All tokens that work or have expired.
#[server(GetTokens, prefix = "/rpc", endpoint = "tokens", input = GetUrl)]
pub async fn tokens() -> Result<Vec<Token>, RpcError> {
    Ok(access::accounts(Operation::ManageAccess)?.0.tokens().await?)
}

/// Makes a token that works for so many days, or with 0 until it is revoked; returns it whole, this once.
#[server(prefix = "/rpc", endpoint = "create_token")]
pub async fn create_token(
    name: String,
    role: Role,
    #[server(default)] environments: Vec<EnvironmentName>,
    days: u32,
) -> Result<String, RpcError> {
    let (accounts, visit) = access::accounts(Operation::ManageAccess)?;
    let name: TokenName = ssr::read(&name)?;
    let grant = ssr::grant(role, environments)?;
    access::note_target(&format_args!("token {name}"));
    access::note_detail(&format_args!("made for {grant}"));
    let expires_at = ssr::in_days(days);
    let new = release_manager::access::NewToken { name, grant, expires_at };
    Ok(accounts.create_token(&visit.principal, new).await?.secret)
}

/// Makes a token useless.
#[server(prefix = "/rpc", endpoint = "revoke_token")]
pub async fn revoke_token(name: TokenName) -> Result<(), RpcError> {
    let (accounts, _) = access::accounts(Operation::ManageAccess)?;
    access::note_target(&format_args!("token {name}"));
    access::note_detail("revoked");
    Ok(accounts.revoke_token(&name).await?)
}

/// A page of the audit log.
#[server(GetAudit, prefix = "/rpc", endpoint = "audit", input = GetUrl)]
pub async fn audit(#[server(default)] before: Option<i64>) -> Result<AuditPage, RpcError> {
    let (accounts, _) = access::accounts(Operation::ReadAudit)?;
    let filter = release_manager::access::AuditFilter { actor: None, before, limit: 50 };
    Ok(accounts.audit(&filter).await?)
}

#[cfg(feature = "ssr")]
mod ssr {
    use std::str::FromStr;

    use release_manager::access::{AccessError, Grant, Role, Scope};
    use release_manager::names::EnvironmentName;
    use release_manager::time::Timestamp;

    use crate::error::{RpcError, RpcErrorKind};

    /// A name as it was typed.
    pub(super) fn read<T: FromStr<Err: std::fmt::Display>>(typed: &str) -> Result<T, RpcError> {
        let typed = typed.trim().to_ascii_lowercase();
        typed.parse().map_err(|error: T::Err| RpcError::new(RpcErrorKind::Invalid, error.to_string()))
    }

    /// The end of so many days from now; with 0 there is none.
    pub(super) fn in_days(days: u32) -> Option<Timestamp> {
        let millis = i64::from(days) * 24 * 60 * 60 * 1000;
        (days > 0).then(|| Timestamp::from_millis(crate::clock::wall_clock().as_millis() + millis))
    }

    pub(super) fn grant(role: Role, environments: Vec<EnvironmentName>) -> Result<Grant, RpcError> {
        Ok(Grant::new(role, Scope::of(environments)).map_err(AccessError::from)?)
    }

    pub(super) fn same(new: &str, again: &str) -> Result<(), RpcError> {
        if new == again {
            Ok(())
        } else {
            Err(RpcError::new(RpcErrorKind::Invalid, "the new password was not typed the same way twice"))
        }
    }
}
