//! The whole choreography, put together from what each service says of itself. No service knows it.

use std::{sync::LazyLock, time::Duration};

use anyhow::Context;
use events::Publisher;
use saga::{
    Service,
    choreography::{On, PATH, Part as Table, Reaction},
    table::Line,
};

/// Time that a program gets to tell its table.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// One service of the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub service: Publisher,
    pub lines: Vec<Line>,
    /// What the service reads.
    pub topics: Vec<&'static str>,
    /// The same as others read it.
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

/// The topics that a service reads.
pub fn topics_of(service: Publisher) -> &'static [&'static str] {
    parts().iter().find(|part| part.service == service).map_or(&[], |part| part.topics.as_slice())
}

/// The tables of a whole system: the shop's, and those of programs that this one was not compiled with.
#[derive(Debug, Clone)]
pub struct Choreography(Vec<Table>);

impl Choreography {
    /// The shop's.
    pub fn of_the_shop() -> Self {
        Choreography(parts().iter().map(|part| part.table.clone()).collect())
    }

    /// The shop's and those of further programs, asked at their `/choreography`. `programs` are base URLs.
    ///
    /// # Errors
    /// If one does not answer with its table, or two tables cannot both be followed; the error says which.
    pub async fn with(programs: &[String]) -> anyhow::Result<Self> {
        let mut all = Self::of_the_shop();
        let client = reqwest::Client::builder().timeout(ANSWERS_WITHIN).build()?;
        for program in programs {
            let url = format!("{}{PATH}", program.trim_end_matches('/'));
            let asked = async { client.get(&url).send().await?.error_for_status()?.json::<Table>().await };
            let table = asked.await.with_context(|| format!("{url} does not tell what its program hears and says"))?;
            all.add(table).with_context(|| format!("the table at {url}"))?;
        }
        all.check()?;
        Ok(all)
    }

    /// Another program's table; the same one again, as each replica tells it, changes nothing.
    fn add(&mut self, table: Table) -> anyhow::Result<()> {
        match self.0.iter().find(|known| known.service == table.service) {
            Some(known) if *known == table => return Ok(()),
            Some(_) => anyhow::bail!(
                "`{}` has another table already: two versions run, or two programs share the name; rename one",
                table.service
            ),
            None => {}
        }
        if let Some(known) = self.0.iter().find(|known| known.topic == table.topic) {
            anyhow::bail!(
                "`{}` publishes on {}, the topic of `{}`: rename it",
                table.service,
                table.topic,
                known.service
            );
        }
        self.0.push(table);
        Ok(())
    }

    /// Checks that every event that somebody waits for can be said by its publisher. Clients say what they like.
    fn check(&self) -> anyhow::Result<()> {
        for table in &self.0 {
            for reaction in &table.reactions {
                let On::Event { event, publisher, topic } = &reaction.on else { continue };
                let Some(speaker) = self.0.iter().find(|other| other.topic == *topic) else { continue };
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

    /// What may come directly after an event: each service that reacts to it, its decision and the events that it may say.
    pub fn follows(&self, event_type: &str, topic: &str) -> impl Iterator<Item = (&str, &Reaction)> {
        self.0
            .iter()
            .flat_map(|table| table.reactions.iter().map(|reaction| (table.service.as_str(), reaction)))
            .filter(move |(_, reaction)| reaction.event() == Some(event_type) && reaction.topic() == Some(topic))
    }

    /// The table of docs/CHOREOGRAPHY.md, in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::from("| service | on | decision | says |\n|---|---|---|---|\n");
        for table in &self.0 {
            for reaction in &table.reactions {
                text.push_str(&format!("| {} {}\n", table.service, reaction.to_markdown()));
            }
        }
        text
    }

    /// The picture of the README, in Mermaid: who hears which events of whom.
    pub fn mermaid(&self) -> String {
        let mut heard: Vec<((&str, &str), Vec<&str>)> = Vec::new();
        for table in &self.0 {
            for reaction in &table.reactions {
                let On::Event { event, publisher, .. } = &reaction.on else { continue };
                let arrow = (publisher.as_str(), table.service.as_str());
                match heard.iter_mut().find(|(known, _)| *known == arrow) {
                    Some((_, events)) => events.push(event),
                    None => heard.push((arrow, vec![event])),
                }
            }
        }
        // Clients first; a further service comes last and changes nothing of the others' lines.
        let place = |name: &str| self.0.iter().position(|table| table.service == name);
        heard.sort_by_key(|((from, to), _)| (place(from), place(to)));
        let mut text = String::from("flowchart LR\n");
        for ((from, to), events) in heard {
            text.push_str(&format!("    {from} -- \"{}\" --> {to}\n", events.join("<br/>")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loyalty(topic: &str, event: &str) -> Table {
        let on = On::Event { event: event.to_owned(), publisher: "order".to_owned(), topic: "order.events".to_owned() };
        let reaction = Reaction { on, decision: "award".to_owned(), says: vec!["PointsAwarded".to_owned()] };
        Table { service: "loyalty".to_owned(), topic: topic.to_owned(), reactions: vec![reaction] }
    }

    #[test]
    fn a_further_service_takes_its_place_in_the_picture() {
        let mut all = Choreography::of_the_shop();
        all.add(loyalty("loyalty.events", "OrderCompleted")).unwrap();
        all.add(loyalty("loyalty.events", "OrderCompleted")).expect("each replica tells the same");
        all.check().unwrap();
        assert!(all.mermaid().contains("    order -- \"OrderCompleted\" --> loyalty\n"), "{}", all.mermaid());
        let follows: Vec<&str> = all.follows("OrderCompleted", "order.events").map(|(service, _)| service).collect();
        assert_eq!(follows, ["notification", "loyalty"]);
    }

    #[test]
    fn what_cannot_be_followed_is_refused_with_what_to_change() {
        let mut all = Choreography::of_the_shop();
        let topic = all.add(loyalty("order.events", "OrderCompleted")).expect_err("another's topic").to_string();
        assert!(topic.contains("the topic of `order`"), "{topic}");
        all.add(loyalty("loyalty.events", "OrderCompletd")).unwrap();
        let nobody = all.check().expect_err("nobody says it").to_string();
        assert!(nobody.contains("`loyalty` waits for `OrderCompletd` of `order`, which never says it"), "{nobody}");
        let two = all.add(loyalty("loyalty.events", "OrderCompleted")).expect_err("two versions").to_string();
        assert!(two.contains("another table already"), "{two}");
    }
}
