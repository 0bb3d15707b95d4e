//! What people are to be told: a queue that survives restarts, so that nothing is told twice or never.

use release_manager::deployment::Deployment;
use release_manager::names::DeploymentId;
use release_manager::notice::{Notice, Queue, Row, Troubles};
use release_manager::ports::LedgerError;
use release_manager::time::Timestamp;
use sqlx::SqliteConnection;

use super::codec::{from_json, to_json};
use super::error::failed;
use super::{Store, deployment};

/// For how long, in milliseconds, what was sent is kept to be looked up: thirty days.
const KEPT: i64 = 30 * 24 * 60 * 60 * 1000;

/// A deployment that has ended and of which nobody has been told.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Its place in the order in which deployments ended.
    pub seal: i64,
    /// The deployment.
    pub deployment: Deployment,
    /// Those before it in the same environment that did not succeed.
    pub row: Row,
}

/// A notice on its way to a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// Its number.
    pub id: i64,
    /// The target's name.
    pub target: String,
    /// What is to be told.
    pub notice: Notice,
    /// How often it was tried.
    pub tries: u32,
}

/// What became of an attempt to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It was taken.
    Sent,
    /// It is tried again at that time.
    Later(Timestamp, String),
    /// It is not tried again.
    GivenUp(String),
}

impl Store {
    /// The deployments that ended since the last [`Store::tell`], in the order in which they did.
    pub async fn untold(&self) -> Result<Vec<Ended>, LedgerError> {
        let rows = sqlx::query!(
            r#"select position as "seal!", attempt as "id!", environment as "environment!"
            from seals
            join attempts on attempts.id = seals.attempt
            where position > (select seal from notices_told)
            order by position"#
        )
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        let mut ended = Vec::new();
        for row in rows {
            let before = self.row_before(&row.environment, row.id).await?;
            if let Some(deployment) = deployment::deployment(&self.readers, DeploymentId(row.id)).await? {
                ended.push(Ended { seal: row.seal, deployment, row: before });
            }
        }
        Ok(ended)
    }

    /// The deployments before that one that did not succeed, back to the last that did.
    async fn row_before(&self, environment: &str, id: i64) -> Result<Row, LedgerError> {
        let row = sqlx::query!(
            r#"select count(*) as "failures!: u32", max(id) as "newest: i64"
            from attempts
            where environment = ?1 and id < ?2 and status in ('failed', 'rolled_back')
                and id > coalesce(
                    (select max(id) from attempts where environment = ?1 and id < ?2 and status = 'success'),
                    0
                )"#,
            environment,
            id
        )
        .fetch_one(&self.readers)
        .await
        .map_err(failed)?;
        let newest = match row.newest {
            Some(newest) => deployment::deployment(&self.readers, DeploymentId(newest)).await?,
            None => None,
        };
        Ok(Row { failures: row.failures, newest })
    }

    /// The trouble of which people know.
    pub async fn troubles(&self) -> Result<Troubles, LedgerError> {
        let text =
            sqlx::query_scalar!("select troubles from notices_told").fetch_one(&self.readers).await.map_err(failed)?;
        from_json(&text, || "the trouble of which people know".to_owned())
    }

    /// Puts notices into the queue, each for a target, and remembers how far it has been told: all of it or nothing.
    pub async fn tell(
        &self,
        notices: &[(String, Notice)],
        seal: Option<i64>,
        troubles: &Troubles,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        self.write(async {
            let mut transaction = self.writer.begin_with("begin immediate").await.map_err(failed)?;
            for (target, notice) in notices {
                insert(&mut transaction, target, notice, at).await?;
            }
            let troubles = to_json(troubles);
            sqlx::query!("update notices_told set seal = coalesce(?, seal), troubles = ?", seal, troubles)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            let old = at.as_millis() - KEPT;
            sqlx::query!("delete from notices where state <> 'waiting' and made_at < ?", old)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            transaction.commit().await.map_err(failed)
        })
        .await
    }

    /// Gives up what waits for targets that are none of these.
    pub async fn give_up_others(&self, targets: &[&str]) -> Result<(), LedgerError> {
        let targets = to_json(&targets);
        self.write(async {
            sqlx::query!(
                "update notices
                set state = 'given_up', error_message = 'the target is not configured any more'
                where state = 'waiting' and target not in (select value from json_each(?))",
                targets
            )
            .execute(&self.writer)
            .await
            .map_err(failed)?;
            Ok(())
        })
        .await
    }

    /// The notices that are due for a target, oldest first.
    pub async fn due_notices(&self, target: &str, now: Timestamp) -> Result<Vec<Waiting>, LedgerError> {
        let now = now.as_millis();
        let rows = sqlx::query!(
            r#"select id as "id!", target, notice, tries as "tries: u32"
            from notices
            where state = 'waiting' and target = ? and due_at <= ?
            order by id
            limit 50"#,
            target,
            now
        )
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        let waiting = |id, target, notice: String, tries| {
            Ok(Waiting { id, target, notice: from_json(&notice, || format!("notice {id}"))?, tries })
        };
        rows.into_iter().map(|row| waiting(row.id, row.target, row.notice, row.tries)).collect()
    }

    /// When the next notice for a target is due, if any waits.
    pub async fn next_notice(&self, target: &str) -> Result<Option<Timestamp>, LedgerError> {
        let due = sqlx::query_scalar!(
            r#"select min(due_at) as "due: i64" from notices where state = 'waiting' and target = ?"#,
            target
        )
        .fetch_one(&self.readers)
        .await
        .map_err(failed)?;
        Ok(due.map(Timestamp::from_millis))
    }

    /// How it stands with what a target was told.
    pub async fn notice_queue(&self, target: &str) -> Result<Queue, LedgerError> {
        let row = sqlx::query!(
            r#"select
                count(*) filter (where state = 'waiting') as "waiting!: i64",
                min(due_at) filter (where state = 'waiting') as "next_at: i64",
                max(made_at) filter (where state = 'sent') as "sent_at: i64"
            from notices
            where target = ?"#,
            target
        )
        .fetch_one(&self.readers)
        .await
        .map_err(failed)?;
        let trouble = sqlx::query!(
            r#"select made_at, error_message as "error_message!"
            from notices
            where target = ?1
                and state <> 'sent'
                and error_message is not null
                and id > coalesce((select max(id) from notices where target = ?1 and state = 'sent'), 0)
            order by id desc
            limit 1"#,
            target
        )
        .fetch_optional(&self.readers)
        .await
        .map_err(failed)?;
        Ok(Queue {
            waiting: u64::try_from(row.waiting).unwrap_or_default(),
            next_at: row.next_at.map(Timestamp::from_millis),
            sent_at: row.sent_at.map(Timestamp::from_millis),
            trouble: trouble.map(|row| (Timestamp::from_millis(row.made_at), row.error_message)),
        })
    }

    /// Notes what became of an attempt to tell.
    pub async fn delivered(&self, id: i64, delivery: &Delivery) -> Result<(), LedgerError> {
        let (state, due, error) = match delivery {
            Delivery::Sent => ("sent", None, None),
            Delivery::Later(due, error) => ("waiting", Some(due.as_millis()), Some(error.as_str())),
            Delivery::GivenUp(error) => ("given_up", None, Some(error.as_str())),
        };
        self.write(async {
            sqlx::query!(
                "update notices
                set state = ?2, due_at = coalesce(?3, due_at), error_message = ?4, tries = tries + 1
                where id = ?1 and state = 'waiting'",
                id,
                state,
                due,
                error
            )
            .execute(&self.writer)
            .await
            .map_err(failed)?;
            Ok(())
        })
        .await
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    target: &str,
    notice: &Notice,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let (text, at) = (to_json(notice), at.as_millis());
    sqlx::query!("insert into notices (target, notice, made_at, due_at) values (?1, ?2, ?3, ?3)", target, text, at)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}
