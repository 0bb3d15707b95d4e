//! API tokens. None is ever deleted: history names them.

use release_manager::access::{AccessError, Grant, Token};
use release_manager::names::TokenName;
use release_manager::ports::LedgerError;
use release_manager::time::Timestamp;

use super::super::Store;
use super::super::codec::parse;
use super::super::error::failed;
use super::{SecretHash, environments, grant};

/// A token to be kept.
#[derive(Debug, Clone)]
pub struct StoredToken {
    /// Of the whole token.
    pub hash: SecretHash,
    /// Everything but the secret.
    pub token: Token,
}

/// A token that was shown, and what it may do.
#[derive(Debug, Clone)]
pub struct KnownToken {
    /// The row's number.
    pub id: i64,
    /// Its name.
    pub name: TokenName,
    /// What it was made to do.
    pub grant: Grant,
    /// What whoever made it may do now; `None` where that is nobody who is known here.
    pub owner: Option<Grant>,
    /// Until when it works.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, as far as that was noted.
    pub last_used_at: Option<Timestamp>,
}

impl Store {
    /// Keeps a token.
    pub async fn add_token(&self, new: &StoredToken) -> Result<(), AccessError> {
        let (hash, token) = (&new.hash[..], &new.token);
        let (name, role, limits) = (token.name.as_str(), token.grant.role().as_str(), environments(&token.grant));
        let (created_at, expires_at) = (token.created_at.as_millis(), token.expires_at.map(Timestamp::as_millis));
        let work = async {
            sqlx::query!(
                "insert into tokens (name, hash, start, role, environments, created_by, created_at, expires_at)
                values (?, ?, ?, ?, ?, ?, ?, ?)
                on conflict do nothing",
                name,
                hash,
                token.start,
                role,
                limits,
                token.created_by,
                created_at,
                expires_at
            )
            .execute(&self.writer)
            .await
            .map_err(failed)
        };
        let added = self.write(work).await?;
        if added.rows_affected() == 0 { Err(AccessError::TokenExists(token.name.clone())) } else { Ok(()) }
    }

    /// The token of a hash, unless it is revoked, or whoever made it is disabled: nobody comes back by a token. What a
    /// token has made belongs to the person who made that one.
    pub async fn token(&self, hash: &SecretHash) -> Result<Option<KnownToken>, LedgerError> {
        let hash = &hash[..];
        let row = sqlx::query!(
            r#"with recursive makers (token, maker) as (
                select id, created_by from tokens where hash = ?1
                union all
                select parent.id, parent.created_by
                from makers
                join tokens as parent on parent.id = (
                    select max(older.id) from tokens as older
                    where 'token:' || older.name = makers.maker and older.id < makers.token
                )
            )
            select tokens.id as "id!: i64", tokens.name as "name!: String", tokens.role as "role!: String",
                tokens.environments as "environments: String", tokens.expires_at as "expires_at: i64",
                tokens.last_used_at as "last_used_at: i64", users.role as "owner_role: String",
                users.environments as "owner_environments: String"
            from tokens
            left join users on users.name in (select maker from makers)
            where tokens.hash = ?1 and tokens.revoked_at is null and users.disabled_at is null"#,
            hash
        )
        .fetch_optional(&self.readers)
        .await
        .map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let what = || format!("token {}", row.id);
        Ok(Some(KnownToken {
            id: row.id,
            name: parse(&row.name, what)?,
            grant: grant(&row.role, row.environments.as_deref(), what)?,
            owner: match row.owner_role {
                Some(role) => Some(grant(&role, row.owner_environments.as_deref(), what)?),
                None => None,
            },
            expires_at: row.expires_at.map(Timestamp::from_millis),
            last_used_at: row.last_used_at.map(Timestamp::from_millis),
        }))
    }

    /// Notes that a token was used.
    pub async fn used_token(&self, id: i64, at: Timestamp) -> Result<(), LedgerError> {
        let at = at.as_millis();
        let work = async {
            sqlx::query!("update tokens set last_used_at = ? where id = ?", at, id)
                .execute(&self.writer)
                .await
                .map_err(failed)
        };
        self.write(work).await.map(|_| ())
    }

    /// All tokens that are not revoked, by name.
    pub async fn tokens(&self) -> Result<Vec<Token>, LedgerError> {
        let rows = sqlx::query!(
            r#"select
                id as "id!", name, start, role, environments, created_by, created_at, expires_at, last_used_at
            from tokens
            where revoked_at is null
            order by name"#
        )
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        let token = rows.into_iter().map(|row| {
            let what = || format!("token {}", row.id);
            Ok(Token {
                name: parse(&row.name, what)?,
                start: row.start.clone(),
                grant: grant(&row.role, row.environments.as_deref(), what)?,
                created_by: row.created_by.clone(),
                created_at: Timestamp::from_millis(row.created_at),
                expires_at: row.expires_at.map(Timestamp::from_millis),
                last_used_at: row.last_used_at.map(Timestamp::from_millis),
            })
        });
        token.collect()
    }

    /// Makes a token useless.
    pub async fn revoke_token(&self, name: &TokenName, at: Timestamp) -> Result<(), AccessError> {
        let (text, at) = (name.as_str(), at.as_millis());
        let work = async {
            sqlx::query!("update tokens set revoked_at = ? where name = ? and revoked_at is null", at, text)
                .execute(&self.writer)
                .await
                .map_err(failed)
        };
        let revoked = self.write(work).await?;
        if revoked.rows_affected() == 0 { Err(AccessError::UnknownToken(name.clone())) } else { Ok(()) }
    }
}
