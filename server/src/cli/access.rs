//! `release-manager user` and `token`: on the database itself, also beside a running server.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use release_manager::access::{Accounts, AuditResult, Grant, NewToken, NewUser, Principal, Role, Scope, Who};
use release_manager::names::{EnvironmentName, TokenName, UserName};
use release_manager::ports::Clock;
use release_manager::time::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::Failure;
use super::serve::ProcessEnvironment;
use crate::SystemClock;
use crate::auth::{Doorkeeper, secret};
use crate::config::database;
use crate::store::{AuditEntry, OpenError, Store};

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// What can be done about users.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user. The password is read from standard input; without one it is made up and printed.
    Add {
        /// The name to log in with.
        name: UserName,
        #[command(flatten)]
        grant: GrantArgs,
        /// Without a password: for who comes through a proxy or an identity provider.
        #[arg(long)]
        no_password: bool,
    },
    /// Show all users.
    List,
    /// Give a user another password: from standard input, or a made-up one that is printed. Ends their sessions.
    Passwd {
        /// The user.
        name: UserName,
    },
    /// Change what a user may do. Ends their sessions.
    Role {
        /// The user.
        name: UserName,
        #[command(flatten)]
        grant: GrantArgs,
    },
    /// Shut a user out. Ends their sessions.
    Disable {
        /// The user.
        name: UserName,
    },
    /// Let a user in again.
    Enable {
        /// The user.
        name: UserName,
    },
}

/// What can be done about API tokens.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token and print it, this once.
    Create {
        /// What history is to call it.
        name: TokenName,
        #[command(flatten)]
        grant: GrantArgs,
        /// For how many days it works; 0 for ever.
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
    /// Show all tokens that are not revoked.
    List,
    /// Make a token useless.
    Revoke {
        /// The token.
        name: TokenName,
    },
}

/// A role, and where it holds.
#[derive(Debug, Args)]
pub(super) struct GrantArgs {
    /// viewer, deployer or admin.
    #[arg(long, default_value = "viewer")]
    role: Role,
    /// Where a deployer may deploy, separated by commas; everywhere if it is left out.
    #[arg(long, value_delimiter = ',')]
    environments: Vec<EnvironmentName>,
}

impl GrantArgs {
    fn grant(self) -> Result<Grant, Failure> {
        Grant::new(self.role, Scope::of(self.environments))
            .map_err(|error| Failure { code: 64, message: Some(error.to_string()) })
    }
}

/// Does what is asked about users.
pub(super) async fn user(command: UserCommand) -> Result<(), Failure> {
    let (keeper, store) = open().await?;
    let done = match command {
        UserCommand::List => {
            for user in keeper.users().await.map_err(Failure::new)? {
                let state = if user.disabled_at.is_some() { "shut out" } else { "" };
                let seen = user.last_login_at.map_or("never".to_owned(), |at| at.to_string());
                print(&format!("{:<24}  {:<32}  last login {seen}  {state}", user.name, user.grant.to_string()));
            }
            return close(&store).await;
        }
        UserCommand::Add { name, grant, no_password } => {
            let grant = grant.grant()?;
            let password = if no_password { None } else { Some(password()?) };
            let words = format!("added as {grant}");
            let new = NewUser {
                name: name.clone(),
                grant,
                password: password.as_ref().map(|known| known.text.expose_secret().to_owned()),
            };
            keeper.add_user(new).await.map_err(Failure::new)?;
            show_made_up(password);
            (name, words)
        }
        UserCommand::Passwd { name } => {
            let password = password()?;
            keeper.set_password(&name, password.text.expose_secret().to_owned()).await.map_err(Failure::new)?;
            show_made_up(Some(password));
            (name, "gets another password".to_owned())
        }
        UserCommand::Role { name, grant } => {
            let grant = grant.grant()?;
            let words = format!("is {grant} now");
            keeper.set_grant(&name, grant).await.map_err(Failure::new)?;
            (name, words)
        }
        UserCommand::Disable { name } => {
            keeper.set_disabled(&name, true).await.map_err(Failure::new)?;
            (name, "is shut out".to_owned())
        }
        UserCommand::Enable { name } => {
            keeper.set_disabled(&name, false).await.map_err(Failure::new)?;
            (name, "may come in again".to_owned())
        }
    };
    note(&keeper, format!("user {}", done.0), done.1).await;
    close(&store).await
}

/// Does what is asked about tokens.
pub(super) async fn token(command: TokenCommand) -> Result<(), Failure> {
    let (keeper, store) = open().await?;
    match command {
        TokenCommand::List => {
            for token in keeper.tokens().await.map_err(Failure::new)? {
                let until = token.expires_at.map_or("it is revoked".to_owned(), |at| at.to_string());
                let used = token.last_used_at.map_or("never".to_owned(), |at| at.to_string());
                let (name, start, grant) = (&token.name, &token.start, token.grant.to_string());
                print(&format!("{name:<24}  {start}…  {grant:<32}  works until {until}  last used {used}"));
            }
        }
        TokenCommand::Create { name, grant, days } => {
            let grant = grant.grant()?;
            let words = format!("made for {grant}");
            let now = SystemClock.now().as_millis();
            let expires_at = (days > 0).then(|| Timestamp::from_millis(now + i64::from(days) * DAY));
            // Whoever can write the database is an admin.
            let by = Principal { who: Who::Anybody, grant: Grant::admin() };
            let new = NewToken { name: name.clone(), grant, expires_at };
            let fresh = keeper.create_token(&by, new).await.map_err(Failure::new)?;
            print(&fresh.secret);
            note(&keeper, format!("token {name}"), words).await;
        }
        TokenCommand::Revoke { name } => {
            keeper.revoke_token(&name).await.map_err(Failure::new)?;
            note(&keeper, format!("token {name}"), "revoked".to_owned()).await;
        }
    }
    close(&store).await
}

/// The database that a server may be holding at this moment; one that is not there is made.
async fn open() -> Result<(Doorkeeper, Arc<Store>), Failure> {
    let path = database(&ProcessEnvironment);
    let store = match Store::open(Path::new(&path)).await {
        Err(OpenError::InUse { .. }) => Store::open_beside(&path).await,
        opened => opened,
    };
    let store = Arc::new(store.map_err(|error| Failure::setting(format!("DATABASE_PATH: {error}")))?);
    let keeper = Doorkeeper::new(Arc::clone(&store), Arc::new(SystemClock)).map_err(Failure::new)?;
    Ok((keeper, store))
}

async fn close(store: &Store) -> Result<(), Failure> {
    store.close().await;
    Ok(())
}

struct Password {
    text: SecretString,
    made_up: bool,
}

/// A line of standard input, if it is not a terminal; a made-up password otherwise.
fn password() -> Result<Password, Failure> {
    if std::io::stdin().is_terminal() {
        let text = secret::password().map_err(Failure::new)?;
        return Ok(Password { text, made_up: true });
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(Failure::new)?;
    let text = line.trim_end_matches(['\r', '\n']).to_owned();
    if text.is_empty() {
        let text = secret::password().map_err(Failure::new)?;
        return Ok(Password { text, made_up: true });
    }
    Ok(Password { text: text.into(), made_up: false })
}

fn show_made_up(password: Option<Password>) {
    if let Some(password) = password.filter(|known| known.made_up) {
        print(&format!("password: {}", password.text.expose_secret()));
    }
}

fn print(line: &str) {
    // Where standard output is closed there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{line}");
}

async fn note(keeper: &Doorkeeper, target: String, detail: String) {
    let entry = AuditEntry {
        actor: "manual".to_owned(),
        address: None,
        operation: "manage_access".to_owned(),
        target: Some(target),
        result: AuditResult::Done,
        detail: Some(format!("{detail}, by the command line")),
        times: 1,
    };
    keeper.audit.note(entry).await;
}
