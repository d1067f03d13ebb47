//! The whole choreography, assembled from each service's own table. No service knows it.

use crate::environment::transport_of_the_process;
use std::{collections::BTreeSet, sync::LazyLock, time::Duration};

use anyhow::Context;
use events::{
    Publisher,
    publisher::{self, is_topic_of_events},
};
use reqwest::redirect::Policy;
use saga::{
    Service,
    choreography::{On, PATH, Part as Table, Reaction},
    table::Line,
};

use self::words::check_words;
use crate::{Environment, PROGRAM_URLS};

mod description;
mod drawing;
mod picture;
mod words;

/// Timeout for a program to serve its table.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Maximum size of a table in bytes.
const LARGEST_TABLE: usize = 1024 * 1024;

/// One service of the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub service: Publisher,
    pub lines: Vec<Line>,
    /// Topics that the service consumes.
    pub topics: Vec<&'static str>,
    /// The same in the form in which other programs serve their tables.
    table: Table,
}

impl Part {
    fn of<S: Service>() -> Self {
        let table = S::table();
        Part {
            service: table.service(),
            lines: table.lines().cloned().collect(),
            topics: table.topics(),
            table: Table::from(&table),
        }
    }
}

/// Every service's table, in the order in which the saga first reaches them.
pub fn parts() -> &'static [Part] {
    static PARTS: LazyLock<Vec<Part>> = LazyLock::new(|| {
        vec![
            Part::of::<order::Orders>(),
            Part::of::<account::Account>(),
            Part::of::<payment::Payment>(),
            Part::of::<inventory::Inventory>(),
            Part::of::<shipping::Shipping>(),
            Part::of::<entitlement::Entitlement>(),
            Part::of::<notification::Notification>(),
        ]
    });
    &PARTS
}

/// The topics that a service consumes.
pub fn topics_of(service: Publisher) -> &'static [&'static str] {
    parts().iter().find(|part| part.service == service).map_or(&[], |part| part.topics.as_slice())
}

/// The tables of a whole system: the shop's, and those of programs that this one was not compiled with.
#[derive(Debug, Clone, Default)]
pub struct Choreography(Vec<Table>);

impl Choreography {
    /// The shop's choreography.
    pub fn of_the_shop() -> Self {
        Choreography(parts().iter().map(|part| part.table.clone()).collect())
    }

    /// The shop's choreography, together with the tables that further programs serve at `/choreography`. `programs` are base
    /// URLs.
    ///
    /// # Errors
    /// If a program does not serve its table, or two tables contradict each other; the error names them.
    pub async fn with(programs: &[String]) -> anyhow::Result<Self> {
        Self::of_the_shop().and(programs).await
    }

    /// This choreography, together with the tables of further programs.
    ///
    /// # Errors
    /// As [`with`](Self::with).
    pub async fn and(self, programs: &[String]) -> anyhow::Result<Self> {
        let all = self.and_unchecked(programs).await?;
        all.check()?;
        Ok(all)
    }

    /// As [`and`](Self::and), for a tool that finds out itself whether the services fit together.
    ///
    /// # Errors
    /// If a program does not serve its table, or there are two tables of one service.
    pub async fn and_unchecked(self, programs: &[String]) -> anyhow::Result<Self> {
        let (all, mut silent, wrong) = self.gather(programs).await;
        silent.extend(wrong);
        anyhow::ensure!(silent.is_empty(), silent.join("; "));
        Ok(all)
    }

    async fn table_of(base: &str) -> anyhow::Result<(String, Table)> {
        let client = transport_of_the_process()?.http()?.timeout(ANSWERS_WITHIN).redirect(Policy::none()).build()?;
        let url = format!("{}{PATH}", base.trim_end_matches('/'));
        let table = ask(&client, &url).await;
        let table = table.with_context(|| format!("{url} does not serve its program's table of events"))?;
        Ok((url, table))
    }

    /// These tables and those of the programs that serve theirs; the errors of the others; tables that contradict others.
    async fn gather(self, programs: &[String]) -> (Self, Vec<String>, Vec<String>) {
        let (mut all, mut silent, mut wrong) = (self, Vec::new(), Vec::new());
        for program in programs {
            match Self::table_of(program).await {
                Ok((url, table)) => {
                    wrong.extend(all.add(table).err().map(|error| format!("the table at {url}: {error:#}")))
                }
                Err(error) => silent.push(format!("{error:#}")),
            }
        }
        (all, silent, wrong)
    }

    /// These tables and those of the programs that serve theirs; and the errors of the others.
    ///
    /// # Errors
    /// If two tables contradict each other.
    pub async fn and_those_that_answer(self, programs: &[String]) -> anyhow::Result<(Self, Vec<String>)> {
        let (all, silent, wrong) = self.gather(programs).await;
        anyhow::ensure!(wrong.is_empty(), wrong.join("; "));
        if silent.is_empty() {
            all.check()?;
        }
        Ok((all, silent))
    }

    /// A system's choreography, as far as the services beside the shop serve their tables; and an error for each that does not,
    /// or whose table contradicts another.
    pub async fn of_system(environment: &Environment) -> (Self, Vec<String>) {
        let (all, silent, mut wrong) = Self::of_the_shop().gather(&environment.further_programs).await;
        let why = match silent.is_empty() {
            true => format!("let {PROGRAM_URLS} name the base URL at which it answers HTTP"),
            false => silent.join("; "),
        };
        let services = environment.manifest.databases().map(|database| database.publisher().name());
        let untold = services.filter(|service| !all.0.iter().any(|table| table.service == *service));
        wrong.extend(untold.map(|service| format!("nobody knows what `{service}` reads: {why}")));
        (all, wrong)
    }

    /// Each service's table.
    pub fn tables(&self) -> &[Table] {
        &self.0
    }

    /// Pairs of names: a publisher, and a service that consumes its events.
    pub fn arrows(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|table| {
            let events = table.reactions.iter().filter_map(|reaction| match &reaction.on {
                On::Event { publisher, .. } => Some(publisher.as_str()),
                On::Occasion { .. } => None,
            });
            events.map(|publisher| (table.service.as_str(), publisher))
        })
    }

    /// The topics that a service consumes.
    pub fn topics_of(&self, service: &str) -> Vec<String> {
        let tables = self.0.iter().filter(|table| table.service == service);
        let topics: BTreeSet<&str> = tables.flat_map(|table| &table.reactions).filter_map(Reaction::topic).collect();
        topics.into_iter().map(str::to_owned).collect()
    }

    /// Adds another program's table. Adding the same table again, as each replica serves it, changes nothing.
    pub(crate) fn add(&mut self, table: Table) -> anyhow::Result<()> {
        check_words(&table).map_err(anyhow::Error::msg)?;
        match self.0.iter().find(|known| known.service == table.service) {
            Some(known) if is_the_same(known, &table) => return Ok(()),
            Some(_) => anyhow::bail!(
                "`{}` has another table already: two versions run, or two programs share the name; rename one",
                table.service
            ),
            None => {}
        }
        self.0.push(table);
        Ok(())
    }

    /// Checks that every event that a service waits for can be published by its publisher. Clients may publish anything.
    fn check(&self) -> anyhow::Result<()> {
        for table in &self.0 {
            for reaction in &table.reactions {
                let On::Event { event, publisher, topic, .. } = &reaction.on else { continue };
                let is_service = is_topic_of_events(topic) || self.0.iter().any(|other| other.service == *publisher);
                if !is_service {
                    continue;
                }
                let speaker = self.0.iter().find(|other| other.topic == *topic && other.service == *publisher);
                let speaker = speaker.with_context(|| {
                    format!(
                        "`{}` waits for `{event}` of `{publisher}` on {topic}, and no such service is known: correct the name \
                         in the table of `{}`, or name that program, too",
                        table.service, table.service
                    )
                })?;
                anyhow::ensure!(
                    speaker.reactions.iter().any(|other| other.may_say(event)),
                    "`{}` waits for `{event}` of `{publisher}`, which never says it: correct the name in the table of `{}`, or \
                     have `{publisher}` say it",
                    table.service,
                    table.service,
                );
            }
        }
        Ok(())
    }

    /// Tells whether a service is one of the shop's own.
    pub fn is_of_the_shop(service: &str) -> bool {
        publisher::SERVICES.iter().any(|own| own.name() == service)
    }

    /// What may directly follow an event: each service that reacts to it, with its decision and the events that it may publish.
    pub fn follows(&self, event_type: &str, topic: &str) -> impl Iterator<Item = (&str, &Reaction)> {
        self.0
            .iter()
            .flat_map(|table| table.reactions.iter().map(|reaction| (table.service.as_str(), reaction)))
            .filter(move |(_, reaction)| reaction.event() == Some(event_type) && reaction.topic() == Some(topic))
    }
}

/// Returns whether two tables do the same at run time, as those of two replicas do of which one is newer by its marks.
fn is_the_same(one: &Table, other: &Table) -> bool {
    one.topic == other.topic
        && one.reactions.len() == other.reactions.len()
        && one.reactions.iter().zip(&other.reactions).all(|(one, other)| one.does_as(other))
}

/// Fetches a program's table, of bounded size.
async fn ask(client: &reqwest::Client, url: &str) -> anyhow::Result<Table> {
    let mut answer = client.get(url).send().await?.error_for_status()?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        anyhow::ensure!(body.len() <= LARGEST_TABLE, "its answer has more than {LARGEST_TABLE} bytes");
    }
    Ok(serde_json::from_slice(&body)?)
}

#[cfg(test)]
mod tests;
