//! Appending to the log, and announcing its end.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::time::timeout;
use transport::Transport;
use uuid::Uuid;

use crate::{
    act::{Act, Fields, Outcome},
    entry::{Bytes, Entry},
    head::Head,
    key::SigningKey,
    recorder::AUDIT_DATABASE_URL,
    store::{self, Due, Written},
    topic::Topic,
};

/// Time for writing one entry, connecting included.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// The log, for one who writes. Cheap to clone.
#[derive(Clone)]
pub struct AuditLog {
    pool: PgPool,
    heads: Option<Arc<Heads>>,
}

/// Key and topic of heads.
struct Heads {
    key: SigningKey,
    topic: Topic,
}

/// Proof of an entry that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The end of the chain, which is this entry.
    pub head: Head,
}

impl AuditLog {
    /// The log in this database, as a writer. Connects on first use.
    ///
    /// # Errors
    /// If the URL has another form, or allows less than required; the error does not repeat it.
    pub fn new(transport: &Transport, url: &SecretString) -> anyhow::Result<Self> {
        Ok(AuditLog { pool: pool(transport, AUDIT_DATABASE_URL, url, WRITTEN_WITHIN)?, heads: None })
    }

    /// Signs the head after each entry with this key, and announces it on this topic.
    pub fn announcing(self, key: SigningKey, topic: Topic) -> Self {
        AuditLog { heads: Some(Arc::new(Heads { key, topic })), ..self }
    }

    /// Writes one entry. Its head is announced too; if that fails, a later entry or [`announce_due`](Self::announce_due) makes
    /// up for it.
    ///
    /// # Errors
    /// If the log does not take it in time, or answers with something else than this entry's hash.
    pub(crate) async fn append(&self, id: Uuid, act: &Act, outcome: Outcome, reason: &str) -> anyhow::Result<Receipt> {
        let fields = Fields::new(id, act, outcome, reason);
        let written = timeout(WRITTEN_WITHIN, store::append(&self.pool, &fields)).await;
        let written = written
            .with_context(|| format!("the audit log took longer than {} s", WRITTEN_WITHIN.as_secs()))?
            .context("writing to the audit log")?;
        let receipt = receipt(fields, &written)?;
        if let Some(heads) = &self.heads
            && let Err(error) = self.announce(heads, receipt.head).await
        {
            tracing::warn!(
                seq = receipt.head.seq,
                error = format!("{error:#}"),
                "the audit log's head could not be announced; a later one will stand for it"
            );
        }
        Ok(receipt)
    }

    /// Announces the head of the latest entry if it is not noted to be on the topic yet; returns its number. Any writer can note
    /// it: see [`announce_end`](Self::announce_end).
    ///
    /// # Errors
    /// If there is no key, the log cannot be reached, or the topic does not take it.
    pub async fn announce_due(&self) -> anyhow::Result<Option<i64>> {
        self.announce_what(store::due(&self.pool)).await
    }

    /// Announces the head of the latest entry, whether or not a writer has noted that it is on the topic; returns its number,
    /// or None for an empty log.
    ///
    /// # Errors
    /// As for [`announce_due`](Self::announce_due).
    pub async fn announce_end(&self) -> anyhow::Result<Option<i64>> {
        self.announce_what(store::end(&self.pool)).await
    }

    async fn announce_what(
        &self,
        asked: impl Future<Output = sqlx::Result<Option<Due>>>,
    ) -> anyhow::Result<Option<i64>> {
        let heads = self.heads.as_ref().context("there is no key to sign heads with")?;
        let due = timeout(WRITTEN_WITHIN, asked).await.context("the audit log takes too long")?;
        let Some(due) = due.context("asking the audit log for its head")? else { return Ok(None) };
        let (Bytes(Some(genesis)), Bytes(Some(hash))) = (due.chain_genesis, due.due_hash) else {
            anyhow::bail!("the audit log's head is no hash");
        };
        let head = Head { genesis, seq: due.due_seq, hash, micros: due.due_at.timestamp_micros() };
        self.announce(heads, head).await?;
        Ok(Some(head.seq))
    }

    async fn announce(&self, heads: &Heads, head: Head) -> anyhow::Result<()> {
        heads.topic.announce(&head.sign(&heads.key)).await?;
        let published = timeout(WRITTEN_WITHIN, store::published(&self.pool, head.seq)).await;
        published.context("the audit log takes too long")?.context("noting in the audit log that a head is announced")
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog").field("announces", &self.heads.is_some()).finish_non_exhaustive()
    }
}

/// Checks that the database hashed what it was given, with the formula that verifying uses: nothing else gets a signature.
fn receipt(fields: Fields, written: &Written) -> anyhow::Result<Receipt> {
    let micros = written.new_at.timestamp_micros();
    let entry = Entry {
        seq: written.new_seq,
        micros,
        role: written.new_role.clone(),
        actor: fields.actor,
        known: fields.known.to_owned(),
        action: fields.action.to_owned(),
        object_kind: fields.object_kind,
        object_id: fields.object_id,
        reason: fields.reason,
        outcome: fields.outcome.to_owned(),
        act: fields.act,
        details: fields.details,
        previous: written.new_previous,
        digests: Vec::new(),
        hash: written.new_hash,
    };
    let digests = entry.fresh_digests().map(|digest| digest.0).concat();
    let expected = Entry { digests, ..entry }.hash_as(written.new_seq);
    let (Some(hash), Some(genesis)) = (written.new_hash.0, written.new_genesis.0) else {
        anyhow::bail!("the audit log answered without a hash");
    };
    ensure!(expected == Some(hash), "the audit log answered with a hash that entry {} does not have", written.new_seq);
    Ok(Receipt { head: Head { genesis, seq: written.new_seq, hash, micros } })
}

/// A small pool that connects on first use. `setting` names the variable with the URL.
pub(crate) fn pool(
    transport: &Transport,
    setting: &str,
    url: &SecretString,
    statement: Duration,
) -> anyhow::Result<PgPool> {
    let statement = format!("{}s", statement.as_secs());
    let bounds = [("lock_timeout", "5s"), ("statement_timeout", &statement)];
    let options = transport.postgres(setting, url.expose_secret())?.application_name("audit-log").options(bounds);
    Ok(PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5)).connect_lazy_with(options))
}
