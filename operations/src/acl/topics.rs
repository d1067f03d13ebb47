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
        let is_heads = |topic: &&String| *topic == audit_log::TOPIC;
        let topics: Vec<String> = self.topics.iter().filter(|topic| !is_heads(topic)).cloned().collect();
        saga::topics::ensure(cluster, program, &topics).await?;
        if self.topics.iter().any(|topic| is_heads(&topic)) {
            Topic::new(cluster.producer(program))
                .ensure()
                .await
                .context("creating the topic of the audit log's heads")?;
        }
        Ok(())
    }
}
