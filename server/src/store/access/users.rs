//! Users. None is ever deleted: history names them.

use release_manager::access::{AccessError, Grant, NewUser, User};
use release_manager::names::UserName;
use release_manager::ports::LedgerError;
use release_manager::time::Timestamp;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::super::Store;
use super::super::codec::parse;
use super::super::error::failed;
use super::{environments, grant};

/// What a login needs to know of a user.
#[derive(Debug, Clone)]
pub struct KnownUser {
    /// The row's number.
    pub id: i64,
    /// As pages see it.
    pub user: User,
    /// The password as a PHC string.
    pub password: Option<String>,
}

struct Row {
    id: i64,
    name: String,
    role: String,
    environments: Option<String>,
    password: Option<String>,
    password_is_temporary: bool,
    created_at: i64,
    disabled_at: Option<i64>,
    last_login_at: Option<i64>,
}

impl TryFrom<Row> for KnownUser {
    type Error = LedgerError;

    fn try_from(row: Row) -> Result<Self, LedgerError> {
        let what = || format!("user {}", row.id);
        let user = User {
            name: parse(&row.name, what)?,
            grant: grant(&row.role, row.environments.as_deref(), what)?,
            has_password: row.password.is_some(),
            password_is_temporary: row.password_is_temporary,
            disabled_at: row.disabled_at.map(Timestamp::from_millis),
            created_at: Timestamp::from_millis(row.created_at),
            last_login_at: row.last_login_at.map(Timestamp::from_millis),
        };
        Ok(Self { id: row.id, user, password: row.password })
    }
}

impl Store {
    /// All users, by name.
    pub async fn users(&self) -> Result<Vec<User>, LedgerError> {
        let rows = sqlx::query_as!(
            Row,
            r#"select
                id as "id!", name, role, environments, password, password_is_temporary as "password_is_temporary: bool",
                created_at, disabled_at, last_login_at
            from users
            order by name"#
        )
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        rows.into_iter().map(|row| KnownUser::try_from(row).map(|known| known.user)).collect()
    }

    /// One user.
    pub async fn user(&self, name: &UserName) -> Result<Option<KnownUser>, LedgerError> {
        let name = name.as_str();
        let row = sqlx::query_as!(
            Row,
            r#"select
                id as "id!", name, role, environments, password, password_is_temporary as "password_is_temporary: bool",
                created_at, disabled_at, last_login_at
            from users
            where name = ?"#,
            name
        )
        .fetch_optional(&self.readers)
        .await
        .map_err(failed)?;
        row.map(KnownUser::try_from).transpose()
    }

    /// Whether there is any user at all.
    pub async fn has_users(&self) -> Result<bool, LedgerError> {
        sqlx::query_scalar!(r#"select exists (select 1 from users) as "any!: bool""#)
            .fetch_one(&self.readers)
            .await
            .map_err(failed)
    }

    /// Adds a user whose password is hashed already.
    pub async fn add_user(&self, new: &NewUser<String>, temporary: bool, at: Timestamp) -> Result<(), AccessError> {
        let (name, role, limits) = (new.name.as_str(), new.grant.role().as_str(), environments(&new.grant));
        let (password, at) = (new.password.as_deref(), at.as_millis());
        let added = self
            .write(async {
                sqlx::query!(
                    "insert into users (name, role, environments, password, password_is_temporary, created_at)
                    values (?, ?, ?, ?, ?, ?)
                    on conflict (name) do nothing",
                    name,
                    role,
                    limits,
                    password,
                    temporary,
                    at
                )
                .execute(&self.writer)
                .await
                .map_err(failed)
            })
            .await?;
        if added.rows_affected() == 0 { Err(AccessError::UserExists(new.name.clone())) } else { Ok(()) }
    }

    /// Changes what a user may do, and ends their sessions.
    pub async fn set_grant(&self, name: &UserName, grant: &Grant) -> Result<(), AccessError> {
        let mut change = self.begin_change().await?;
        let (text, role, limits) = (name.as_str(), grant.role().as_str(), environments(grant));
        sqlx::query!("update users set role = ?, environments = ? where name = ?", role, limits, text)
            .execute(&mut *change.transaction)
            .await
            .map_err(failed)?;
        self.end_change(change, name).await
    }

    /// Gives a user another password, already hashed, and ends their sessions.
    pub async fn set_password(&self, name: &UserName, password: &str, temporary: bool) -> Result<(), AccessError> {
        let mut change = self.begin_change().await?;
        let text = name.as_str();
        sqlx::query!(
            "update users set password = ?, password_is_temporary = ? where name = ?",
            password,
            temporary,
            text
        )
        .execute(&mut *change.transaction)
        .await
        .map_err(failed)?;
        self.end_change(change, name).await
    }

    /// The user whom an identity provider knows by the subject, with the role that they have now; added at the first time.
    /// `None` where the name belongs to somebody else.
    pub async fn admit(
        &self,
        subject: &str,
        name: &UserName,
        grant: &Grant,
        at: Timestamp,
    ) -> Result<Option<KnownUser>, LedgerError> {
        let (text, role, limits, at) = (name.as_str(), grant.role().as_str(), environments(grant), at.as_millis());
        let work = async {
            let mut transaction = self.writer.begin_with("begin immediate").await.map_err(failed)?;
            sqlx::query!(
                "insert into users (name, subject, role, environments, created_at) values (?, ?, ?, ?, ?)
                on conflict do nothing",
                text,
                subject,
                role,
                limits,
                at
            )
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
            sqlx::query!("update users set role = ?, environments = ? where subject = ?", role, limits, subject)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            transaction.commit().await.map_err(failed)
        };
        self.write(work).await?;
        let name = sqlx::query_scalar!("select name from users where subject = ?", subject)
            .fetch_optional(&self.readers)
            .await
            .map_err(failed)?;
        match name {
            Some(name) => self.user(&parse(&name, || "the name of a user".to_owned())?).await,
            None => Ok(None),
        }
    }

    /// Gives a user the password that they have chosen, already hashed, and ends all their sessions but `own`.
    pub async fn set_own_password(&self, name: &UserName, own: Option<i64>, password: &str) -> Result<(), AccessError> {
        let text = name.as_str();
        let work = async {
            let mut transaction = self.writer.begin_with("begin immediate").await.map_err(failed)?;
            sqlx::query!("update users set password = ?, password_is_temporary = 0 where name = ?", password, text)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            sqlx::query!(
                "delete from sessions where user = (select id from users where name = ?1) and (?2 is null or id <> ?2)",
                text,
                own
            )
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
            transaction.commit().await.map_err(failed)
        };
        Ok(self.write(work).await?)
    }

    /// Shuts a user out from that moment on, or lets them in again (`None`); ends their sessions.
    pub async fn set_disabled(&self, name: &UserName, at: Option<Timestamp>) -> Result<(), AccessError> {
        let mut change = self.begin_change().await?;
        let (text, at) = (name.as_str(), at.map(Timestamp::as_millis));
        sqlx::query!("update users set disabled_at = ? where name = ?", at, text)
            .execute(&mut *change.transaction)
            .await
            .map_err(failed)?;
        self.end_change(change, name).await
    }

    async fn begin_change(&self) -> Result<Change, LedgerError> {
        let mut transaction = self.writer.begin_with("begin immediate").await.map_err(failed)?;
        let had_admin = has_admin(&mut transaction).await?;
        Ok(Change { transaction, had_admin })
    }

    /// Ends the user's sessions and makes the change last, unless nobody could administer afterwards.
    async fn end_change(&self, mut change: Change, name: &UserName) -> Result<(), AccessError> {
        let text = name.as_str();
        let user = sqlx::query_scalar!(r#"select id as "id!" from users where name = ?"#, text)
            .fetch_optional(&mut *change.transaction)
            .await
            .map_err(failed)?;
        let Some(user) = user else { return Err(AccessError::UnknownUser(name.clone())) };
        if change.had_admin && !has_admin(&mut change.transaction).await? {
            return Err(AccessError::LastAdmin(name.clone()));
        }
        sqlx::query!("delete from sessions where user = ?", user)
            .execute(&mut *change.transaction)
            .await
            .map_err(failed)?;
        self.write(async { change.transaction.commit().await.map_err(failed) }).await?;
        Ok(())
    }
}

/// A change of a user that is under way.
struct Change {
    transaction: Transaction<'static, Sqlite>,
    had_admin: bool,
}

/// Whether anybody can log in and administer.
async fn has_admin(transaction: &mut SqliteConnection) -> Result<bool, LedgerError> {
    sqlx::query_scalar!(
        r#"select exists (
            select 1 from users where role = 'admin' and disabled_at is null and password is not null
        ) as "any!: bool""#
    )
    .fetch_one(transaction)
    .await
    .map_err(failed)
}
