//! Sessions, and the browsers in which somebody has logged in. Both are kept by the hash of what the browser holds.

use release_manager::access::{Session, User};
use release_manager::names::UserName;
use release_manager::ports::LedgerError;
use release_manager::time::Timestamp;

use super::super::Store;
use super::super::codec::parse;
use super::super::error::failed;
use super::{SecretHash, grant};

/// A session that begins.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Of the secret in the cookie.
    pub hash: SecretHash,
    /// Of the secret that tells this browser from others.
    pub device: SecretHash,
    /// Whose it is.
    pub user: i64,
    /// From where.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
}

/// A session that was found, with whose it is.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// Its number.
    pub id: i64,
    /// Whose it is.
    pub user: User,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, as far as that was noted.
    pub last_seen_at: Timestamp,
}

impl Store {
    /// Begins a session; `old` is the one that the browser had, and ends.
    pub async fn begin_session(
        &self,
        new: &NewSession,
        old: Option<SecretHash>,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let (hash, device, at) = (&new.hash[..], &new.device[..], at.as_millis());
        let old = old.as_ref().map(|old| &old[..]);
        let work = async {
            let mut transaction = self.writer.begin_with("begin immediate").await.map_err(failed)?;
            sqlx::query!("delete from sessions where hash = ?", old)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            sqlx::query!(
                "insert into sessions (hash, user, created_at, last_seen_at, address, agent) values (?, ?, ?, ?, ?, ?)",
                hash,
                new.user,
                at,
                at,
                new.address,
                new.agent
            )
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
            sqlx::query!(
                "insert into devices (hash, user, last_login_at) values (?, ?, ?)
                on conflict (hash) do update set user = excluded.user, last_login_at = excluded.last_login_at",
                device,
                new.user,
                at
            )
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
            sqlx::query!("update users set last_login_at = ? where id = ?", at, new.user)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            transaction.commit().await.map_err(failed)
        };
        self.write(work).await
    }

    /// The session of a cookie, whether or not it is too old.
    pub async fn session(&self, hash: &SecretHash) -> Result<Option<OpenSession>, LedgerError> {
        let hash = &hash[..];
        let row = sqlx::query!(
            r#"select
                sessions.id as "id!", sessions.created_at, sessions.last_seen_at,
                users.name, users.role, users.environments, users.password is not null as "has_password!: bool",
                users.password_is_temporary as "password_is_temporary: bool",
                users.created_at as user_created_at, users.disabled_at, users.last_login_at
            from sessions
            join users on users.id = sessions.user
            where sessions.hash = ?"#,
            hash
        )
        .fetch_optional(&self.readers)
        .await
        .map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let what = || format!("the user of session {}", row.id);
        let user = User {
            name: parse(&row.name, what)?,
            grant: grant(&row.role, row.environments.as_deref(), what)?,
            has_password: row.has_password,
            password_is_temporary: row.password_is_temporary,
            disabled_at: row.disabled_at.map(Timestamp::from_millis),
            created_at: Timestamp::from_millis(row.user_created_at),
            last_login_at: row.last_login_at.map(Timestamp::from_millis),
        };
        Ok(Some(OpenSession {
            id: row.id,
            user,
            created_at: Timestamp::from_millis(row.created_at),
            last_seen_at: Timestamp::from_millis(row.last_seen_at),
        }))
    }

    /// Notes that a session is in use.
    pub async fn saw_session(&self, id: i64, at: Timestamp) -> Result<(), LedgerError> {
        let at = at.as_millis();
        let work = async {
            sqlx::query!("update sessions set last_seen_at = ? where id = ?", at, id)
                .execute(&self.writer)
                .await
                .map_err(failed)
        };
        self.write(work).await.map(|_| ())
    }

    /// Ends the session of a cookie.
    pub async fn end_session(&self, hash: &SecretHash) -> Result<(), LedgerError> {
        let hash = &hash[..];
        let work = async {
            sqlx::query!("delete from sessions where hash = ?", hash).execute(&self.writer).await.map_err(failed)
        };
        self.write(work).await.map(|_| ())
    }

    /// Ends sessions of a user: this one, or all.
    pub async fn end_sessions(&self, name: &UserName, only: Option<i64>) -> Result<(), LedgerError> {
        let name = name.as_str();
        let work = async {
            sqlx::query!(
                "delete from sessions
                where user = (select id from users where name = ?1) and id = coalesce(?2, id)",
                name,
                only
            )
            .execute(&self.writer)
            .await
            .map_err(failed)
        };
        self.write(work).await.map(|_| ())
    }

    /// Forgets sessions that began before `begun` or were last used before `seen`, and browsers not seen since `device`.
    pub async fn forget_sessions(
        &self,
        begun: Timestamp,
        seen: Timestamp,
        device: Timestamp,
    ) -> Result<(), LedgerError> {
        let (begun, seen, device) = (begun.as_millis(), seen.as_millis(), device.as_millis());
        let old = sqlx::query_scalar!(
            r#"select
                exists (select 1 from sessions where created_at < ? or last_seen_at < ?)
                or exists (select 1 from devices where last_login_at < ?) as "any!: bool""#,
            begun,
            seen,
            device
        )
        .fetch_one(&self.readers)
        .await
        .map_err(failed)?;
        if !old {
            return Ok(());
        }
        let work = async {
            sqlx::query!("delete from sessions where created_at < ? or last_seen_at < ?", begun, seen)
                .execute(&self.writer)
                .await
                .map_err(failed)?;
            sqlx::query!("delete from devices where last_login_at < ?", device)
                .execute(&self.writer)
                .await
                .map_err(failed)
        };
        self.write(work).await.map(|_| ())
    }

    /// Where a user is logged in, the latest first. `own` is the session that asks.
    pub async fn sessions(&self, name: &UserName, own: Option<i64>) -> Result<Vec<Session>, LedgerError> {
        let name = name.as_str();
        let rows = sqlx::query!(
            r#"select id as "id!", created_at, last_seen_at, address, agent
            from sessions
            where user = (select id from users where name = ?)
            order by last_seen_at desc"#,
            name
        )
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        let session = rows.into_iter().map(|row| Session {
            id: row.id,
            created_at: Timestamp::from_millis(row.created_at),
            last_seen_at: Timestamp::from_millis(row.last_seen_at),
            address: row.address,
            agent: row.agent,
            is_this: own == Some(row.id),
        });
        Ok(session.collect())
    }

    /// Whether a user has logged in with this browser before.
    pub async fn knows_device(&self, name: &UserName, device: &SecretHash) -> Result<bool, LedgerError> {
        let (name, device) = (name.as_str(), &device[..]);
        sqlx::query_scalar!(
            r#"select exists (
                select 1 from devices where hash = ? and user = (select id from users where name = ?)
            ) as "known!: bool""#,
            device,
            name
        )
        .fetch_one(&self.readers)
        .await
        .map_err(failed)
    }
}
