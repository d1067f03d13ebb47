//! The topics of a system, made by an administrator.

use anyhow::Context;
use audit_log::Topic;
use saga::outbox::kafka::Cluster;

use super::Rights;

impl Rights {
    /// Creates the topics that are missing, each with its own settings. Others stay as they are.
    ///
    /// # Errors
    /// If the broker does not answer, or refuses.
    pub async fn create_topics(&self, cluster: &Cluster, program: &str) -> anyhow::Result<()> {
        let cluster = cluster.clone().prefixed(self.prefix.clone());
        let (heads, topics): (Vec<String>, Vec<String>) =
            self.names().into_iter().partition(|topic| topic == audit_log::TOPIC);
        saga::topics::ensure(&cluster, program, &topics).await?;
        if !heads.is_empty() {
            Topic::of(&cluster).ensure().await.context("creating the topic of the audit log's heads")?;
        }
        Ok(())
    }
}
