//! Unfinished work of services beside the shop. A service that cannot be asked is reported like one with unfinished work: it
//! neither hides what is wrong elsewhere nor passes for one at rest.

use std::collections::BTreeSet;

use crate::{
    Database, Environment,
    audit::{lag::Groups, rest},
    choreography::Choreography,
    databases::Databases,
    positions,
};

/// What is still open, and why that cannot be told of some services. Asks anew each time, so that a service may come back.
pub(in crate::audit) async fn open(environment: &Environment, databases: &Databases) -> Vec<String> {
    let further: Vec<Database> = environment.manifest.further_databases().collect();
    if further.is_empty() {
        return Vec::new();
    }
    let (choreography, mut open) = Choreography::of_system(environment).await;
    for database in further {
        let left = match rest::unfinished(databases, database).await {
            Ok(unfinished) => unread(environment, databases, database, &choreography)
                .await
                .map(|unread| unfinished.into_iter().chain(unread).collect::<Vec<_>>()),
            Err(error) => Err(error.into()),
        };
        open.extend(left.unwrap_or_else(|error| vec![cannot_tell(database, &error)]));
    }
    open
}

/// What is parked, and why that cannot be told of some services.
pub(in crate::audit) async fn parked(environment: &Environment, databases: &Databases) -> Vec<String> {
    let mut parked = Vec::new();
    for database in environment.manifest.further_databases() {
        let found = rest::parked_in(databases, database).await;
        parked.extend(found.unwrap_or_else(|error| vec![cannot_tell(database, &error.into())]));
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

fn cannot_tell(database: Database, error: &anyhow::Error) -> String {
    format!("nobody knows what is left to do for {}: {error:#}", database.publisher())
}
