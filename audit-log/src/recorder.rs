//! The log as a program uses it: an act is recorded before it happens, or it does not happen.

use anyhow::Context;
use outbox::kafka::Cluster;
use secrecy::SecretString;
use transport::Transport;
use uuid::Uuid;

use crate::{
    act::{Act, Ended, Outcome},
    key::SigningKey,
    log::AuditLog,
    topic::Topic,
};

/// Variable with the log's database, for a writer.
pub const AUDIT_DATABASE_URL: &str = "AUDIT_DATABASE_URL";
/// Variable with the log's database, for a reader.
pub const AUDIT_READER_URL: &str = "AUDIT_READER_URL";
/// Variable with the file of the key that signs heads.
pub const AUDIT_SIGNING_KEY_FILE: &str = "AUDIT_SIGNING_KEY_FILE";
/// Variable with the file of the public keys whose signatures count.
pub const AUDIT_PUBLIC_KEYS_FILE: &str = "AUDIT_PUBLIC_KEYS_FILE";

/// Records acts, or says that nothing is recorded.
#[derive(Debug, Clone)]
pub enum Recorder {
    /// Records in this log, and refuses acts that it cannot record.
    To(AuditLog),
    /// There is no log.
    Nowhere,
}

impl Recorder {
    /// The recorder that `variable` (usually the process environment) names. Heads go to this
    /// cluster, if it has an address, and the log is reached over its transport.
    ///
    /// # Errors
    /// If a variable has the wrong form, or there is no log although SECURITY=required.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>, cluster: &Cluster) -> anyhow::Result<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let Some(url) = variable(AUDIT_DATABASE_URL) else {
            anyhow::ensure!(
                !cluster.transport.is_required(),
                "{AUDIT_DATABASE_URL} is not set, and with SECURITY=required nothing is done that is not recorded"
            );
            return Ok(Recorder::Nowhere);
        };
        let log = AuditLog::new(&cluster.transport, &SecretString::from(url))?;
        if cluster.brokers().is_empty() {
            return Ok(Recorder::To(log));
        }
        let Some(file) = variable(AUDIT_SIGNING_KEY_FILE) else { return Ok(Recorder::To(log)) };
        let key = SigningKey::load(file.as_ref()).context(AUDIT_SIGNING_KEY_FILE)?;
        Ok(Recorder::To(log.announcing(key, Topic::of(cluster))))
    }

    /// The recorder that the process's environment names. If there is none, logs that nothing is recorded.
    ///
    /// # Errors
    /// As [`from_variables`](Self::from_variables).
    pub fn of_the_process(cluster: &Cluster) -> anyhow::Result<Self> {
        let recorder = Self::from_variables(|name| std::env::var(name).ok(), cluster)?;
        if matches!(recorder, Recorder::Nowhere) {
            tracing::warn!("{AUDIT_DATABASE_URL} is not set: nothing of this is recorded in an audit log");
        }
        Ok(recorder)
    }

    /// A recorder that leaves heads to operators: for a program that has no key to sign them with.
    ///
    /// # Errors
    /// If the URL has another form, or allows less than required.
    pub fn without_heads(transport: &Transport, url: &SecretString) -> anyhow::Result<Self> {
        Ok(Recorder::To(AuditLog::new(transport, url)?))
    }

    /// Records that the act begins, carries it out, and records how it ended. `ended` says in words what the result means.
    ///
    /// # Errors
    /// If the act could not be recorded: then nothing was done. Otherwise the act's own error.
    pub async fn audited<T>(
        &self,
        act: &Act,
        carry_out: impl Future<Output = anyhow::Result<T>>,
        ended: impl FnOnce(&T) -> Ended,
    ) -> anyhow::Result<T> {
        let begun = self.begin(act).await?;
        let result = carry_out.await;
        let ended = match &result {
            Ok(value) => ended(value),
            Err(error) => Ended::failed(format!("{error:#}")),
        };
        begun.end(ended).await;
        result
    }

    /// Records that an act begins.
    ///
    /// # Errors
    /// If it could not be recorded: then it must not happen.
    pub async fn begin<'a>(&'a self, act: &'a Act) -> anyhow::Result<Begun<'a>> {
        let id = Uuid::now_v7();
        if let Recorder::To(log) = self {
            let recorded = log.append(id, act, Outcome::Began, &act.reason).await;
            recorded.context("nothing was done, because it could not be recorded")?;
        }
        Ok(Begun { recorder: self, act, id })
    }

    /// Records something that is no act of ours, such as a denial.
    ///
    /// # Errors
    /// If it could not be recorded.
    pub async fn note(&self, act: &Act) -> anyhow::Result<()> {
        match self {
            Recorder::To(log) => log.append(Uuid::now_v7(), act, Outcome::Noted, &act.reason).await.map(drop),
            Recorder::Nowhere => Ok(()),
        }
    }
}

/// An act that has begun. Dropped without an end, as after a crash, it stays an open intent in the log.
#[must_use = "record how the act ended"]
#[derive(Debug)]
pub struct Begun<'a> {
    recorder: &'a Recorder,
    act: &'a Act,
    id: Uuid,
}

impl Begun<'_> {
    /// Records how the act ended. It has happened, so a failure to record its end is only logged: the intent stays open in the
    /// log, which is what verifying then reports.
    pub async fn end(self, ended: Ended) {
        let Recorder::To(log) = self.recorder else { return };
        if let Err(error) = log.append(self.id, self.act, ended.outcome, &ended.note).await {
            tracing::error!(
                action = self.act.action,
                act = %self.id,
                error = format!("{error:#}"),
                "the end of an act could not be recorded; the audit log shows it as open"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const URL: (&str, &str) = (AUDIT_DATABASE_URL, "postgres://w:secret@localhost/audit");

    fn recorder(variables: &[(&str, &str)], transport: &Transport) -> anyhow::Result<Recorder> {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        let cluster = Cluster::at("localhost:1", transport);
        Recorder::from_variables(|name| variables.get(name).map(|value| (*value).to_owned()), &cluster)
    }

    #[tokio::test]
    async fn without_a_log_nothing_is_recorded() {
        assert!(matches!(recorder(&[], &Transport::plain()), Ok(Recorder::Nowhere)));
        assert!(matches!(recorder(&[(AUDIT_DATABASE_URL, "")], &Transport::plain()), Ok(Recorder::Nowhere)));
        assert!(matches!(recorder(&[URL], &Transport::plain()), Ok(Recorder::To(_))));
    }

    #[tokio::test]
    async fn with_security_required_there_has_to_be_a_log() {
        use transport::authority::{Authority, Leaf};
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join("operator");
        let leaf = Leaf::of("operator", std::time::Duration::from_secs(600));
        Authority::in_directory(directory.path()).unwrap().write(&leaf, &own).unwrap();
        let settings = transport::Settings { security: transport::Security::Required, tls_dir: Some(own) };
        let required = settings.open().unwrap();
        let error = recorder(&[], &required).unwrap_err().to_string();
        assert!(error.contains("AUDIT_DATABASE_URL is not set"), "{error}");
        assert!(recorder(&[URL], &required).is_err(), "the log is not reached without TLS");
    }

    #[tokio::test]
    async fn a_wrong_setting_is_an_error_that_repeats_no_password() {
        let error = recorder(&[(AUDIT_DATABASE_URL, "secret")], &Transport::plain()).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.starts_with("AUDIT_DATABASE_URL") && !error.contains("secret"), "{error}");
        assert!(recorder(&[URL, (AUDIT_SIGNING_KEY_FILE, "/nowhere/key")], &Transport::plain()).is_err());
    }
}
