//! Unfinished work of services beside the shop. A service that cannot be asked is reported like one with unfinished work: it
//! neither hides what is wrong elsewhere nor passes for one at rest.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    Database, Environment,
    audit::{lag::Groups, rest},
    choreography::Choreography,
    databases::Databases,
    positions,
};

/// Longest time to find out about one service: a connection that falls silent must not hold up the audit. Kafka's own timeouts
/// are shorter.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// Unfinished work, and the services of which it is unknown, with the reason. Asks again each time: a service may come back.
pub(in crate::audit) async fn open(environment: &Environment, databases: &Databases) -> Vec<String> {
    let further: Vec<Database> = environment.manifest.further_databases().collect();
    if further.is_empty() {
        return Vec::new();
    }
    let (choreography, mut open) = Choreography::of_system(environment).await;
    for database in further {
        let left = answered(async {
            let mut left = rest::unfinished(databases, database).await?;
            left.extend(unread(environment, databases, database, &choreography).await?);
            Ok(left)
        });
        open.extend(left.await.unwrap_or_else(|error| vec![cannot_tell(database, &error)]));
    }
    open
}

/// Parked work, and the services of which it is unknown, with the reason.
pub(in crate::audit) async fn parked(environment: &Environment, databases: &Databases) -> Vec<String> {
    let mut parked = Vec::new();
    for database in environment.manifest.further_databases() {
        let found = answered(async { Ok(rest::parked_in(databases, database).await?) }).await;
        parked.extend(found.unwrap_or_else(|error| vec![cannot_tell(database, &error)]));
    }
    parked
}

/// The records that a service has yet to read, of the topics in its table; if it does not serve one, of those it has read before.
async fn unread(
    environment: &Environment,
    databases: &Databases,
    database: Database,
    choreography: &Choreography,
) -> anyhow::Result<Option<String>> {
    let service = database.publisher();
    let mut topics = choreography.topics_of(service.name());
    if topics.is_empty() {
        let read = positions::of(databases, database).await?.into_keys().map(|(topic, _)| topic);
        topics = read.collect::<BTreeSet<_>>().into_iter().collect();
    }
    let group = Groups::of(&environment.brokers, [(database, topics)])?;
    let behind = group.behind(databases).await?;
    Ok(behind.first().map(|(service, lag)| rest::left_to_read(*service, *lag)))
}

/// The answer to a question about one service, unless it takes [`ANSWERS_WITHIN`].
pub(super) async fn answered<T>(question: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let silent = |_| Err(anyhow::anyhow!("no answer within {} s", ANSWERS_WITHIN.as_secs()));
    tokio::time::timeout(ANSWERS_WITHIN, question).await.unwrap_or_else(silent)
}

fn cannot_tell(database: Database, error: &anyhow::Error) -> String {
    format!("nobody knows what is left to do for {}: {error:#}", database.publisher())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_service_whose_database_falls_silent_is_not_waited_for() {
        let asked = tokio::time::timeout(ANSWERS_WITHIN * 10, answered(std::future::pending::<anyhow::Result<()>>()));
        let error = asked.await.expect("it ends").expect_err("there is no answer");
        assert_eq!(error.to_string(), "no answer within 60 s");
        assert_eq!(answered(async { Ok(1) }).await.expect("an answer"), 1);
    }
}
