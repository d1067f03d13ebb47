//! The whole choreography, put together from what each service says of itself. No service knows it.

use std::collections::BTreeMap;

use events::Publisher;
use kit::{
    Service,
    table::{Line, Trigger},
};

/// One service's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub service: Publisher,
    pub lines: Vec<Line>,
}

/// Every service's table, in the order in which the saga first reaches them.
pub fn parts() -> Vec<Part> {
    fn part<S: Service>() -> Part {
        let table = S::table();
        Part { service: table.service(), lines: table.lines().cloned().collect() }
    }
    vec![
        part::<order::Orders>(),
        part::<account::Account>(),
        part::<payment::Payment>(),
        part::<inventory::Inventory>(),
        part::<shipping::Shipping>(),
        part::<entitlement::Entitlement>(),
        part::<notification::Notification>(),
    ]
}

/// The publisher of an event type: whoever says it.
pub fn publisher_of(event_type: &str) -> Option<Publisher> {
    parts()
        .into_iter()
        .find(|part| part.lines.iter().any(|line| line.says.contains(&event_type)))
        .map(|part| part.service)
}

/// What may come directly after an event: each service that reacts to it, its decision and the events that it may say.
pub fn follows(event_type: &str) -> Vec<(Publisher, Line)> {
    parts()
        .into_iter()
        .flat_map(|part| part.lines.into_iter().map(move |line| (part.service, line)))
        .filter(|(_, line)| matches!(line.trigger, Trigger::Event { event_type: on, .. } if on == event_type))
        .collect()
}

/// The table of the README, in Markdown.
pub fn markdown() -> String {
    let mut text = String::from("| service | on | decision | says |\n|---|---|---|---|\n");
    for part in parts() {
        for line in part.lines {
            text.push_str(&format!("| {} {}\n", part.service, line.to_markdown()));
        }
    }
    text
}

/// The picture of the README, in Mermaid: who hears which events of whom.
pub fn mermaid() -> String {
    let mut heard: BTreeMap<(Publisher, Publisher), Vec<&str>> = BTreeMap::new();
    for part in parts() {
        for line in part.lines {
            if let Trigger::Event { event_type, publisher } = line.trigger {
                heard.entry((publisher, part.service)).or_default().push(event_type);
            }
        }
    }
    let mut text = String::from("flowchart LR\n");
    for ((from, to), events) in heard {
        text.push_str(&format!("    {from} -- \"{}\" --> {to}\n", events.join("<br/>")));
    }
    text
}
