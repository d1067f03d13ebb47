//! Reading the log: a list for people, and everything for verifying.

use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, PgPool};
use transport::Transport;

use crate::{
    entry::Entry,
    log::pool,
    recorder::AUDIT_READER_URL,
    store,
    topic::Announced,
    verify::{Trusted, Verdict, Walk},
};

/// Time for reading the whole log.
const READ_WITHIN: Duration = Duration::from_secs(600);

/// The log, for one who reads.
#[derive(Debug, Clone)]
pub struct Reader(PgPool);

/// Choice of entries.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Entries at or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Entries of the actor with this name.
    pub actor: Option<String>,
    /// Entries about the object with this id, or of this kind.
    pub object: Option<String>,
    /// Maximum number of entries; the latest are returned.
    pub latest: u32,
}

impl Reader {
    /// The log in this database, as a reader. Connects on first use.
    ///
    /// # Errors
    /// If the URL has another form, or allows less than required; the error does not repeat it.
    pub fn new(transport: &Transport, url: &SecretString) -> anyhow::Result<Self> {
        pool(transport, AUDIT_READER_URL, url, READ_WITHIN).map(Reader)
    }

    /// Entries, oldest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn list(&self, wanted: &Wanted) -> anyhow::Result<Vec<Entry>> {
        let sql = format!(
            "select {} from audit.entries
             where ($1::timestamptz is null or at >= $1) and ($2::text is null or actor = $2)
               and ($3::text is null or object_id = $3 or object_kind = $3)
             order by seq desc limit $4",
            Entry::COLUMNS
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(wanted.since).bind(&wanted.actor).bind(&wanted.object);
        let mut entries: Vec<Entry> =
            query.bind(i64::from(wanted.latest)).fetch_all(&self.0).await.context("reading the audit log")?;
        entries.reverse();
        Ok(entries)
    }

    /// Verifies the whole log against these heads, which must have been read *before*: then each of them is of an entry that the
    /// log has to have.
    ///
    /// # Errors
    /// If the database cannot be read. What is wrong with the log is part of the verdict.
    pub async fn verify(&self, announced: Option<&Announced>, trusted: &Trusted) -> anyhow::Result<Verdict> {
        tokio::time::timeout(READ_WITHIN, self.walked(announced, trusted))
            .await
            .context("reading the log takes too long")?
    }

    async fn walked(&self, announced: Option<&Announced>, trusted: &Trusted) -> anyhow::Result<Verdict> {
        // One snapshot for both tables.
        let begin = "begin isolation level repeatable read read only";
        let mut transaction = self.0.begin_with(begin).await.context("reading the audit log")?;
        let chain = store::chain(&mut transaction).await.context("reading the end of the audit log")?;
        let mut walk = Walk::new(chain);
        let mut entries = store::entries(&mut transaction);
        while let Some(entry) = entries.try_next().await.context("reading the entries of the audit log")? {
            walk.entry(&entry);
        }
        drop(entries);
        transaction.rollback().await.ok();
        Ok(walk.finish(announced, trusted))
    }
}
