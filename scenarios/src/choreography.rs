//! The whole choreography, put together from what each service says of itself. No service knows it.

use std::{collections::BTreeMap, sync::LazyLock};

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
    /// What the service reads.
    pub topics: Vec<&'static str>,
}

impl Part {
    fn of<S: Service>() -> Self {
        let table = S::table();
        Part { service: table.service(), lines: table.lines().cloned().collect(), topics: table.topics() }
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

/// The publisher of an event type: whoever says it.
pub fn publisher_of(event_type: &str) -> Option<Publisher> {
    parts().iter().find(|part| part.lines.iter().any(|line| line.says.contains(&event_type))).map(|part| part.service)
}

/// What may come directly after an event: each service that reacts to it, its decision and the events that it may say.
pub fn follows(event_type: &str) -> Vec<(Publisher, Line)> {
    parts()
        .iter()
        .flat_map(|part| part.lines.iter().cloned().map(move |line| (part.service, line)))
        .filter(|(_, line)| matches!(line.trigger, Trigger::Event { event_type: on, .. } if on == event_type))
        .collect()
}

/// The table of docs/CHOREOGRAPHY.md, in Markdown.
pub fn markdown() -> String {
    let mut text = String::from("| service | on | decision | says |\n|---|---|---|---|\n");
    for part in parts() {
        for line in &part.lines {
            text.push_str(&format!("| {} {}\n", part.service, line.to_markdown()));
        }
    }
    text
}

/// The picture of the README, in Mermaid: who hears which events of whom.
pub fn mermaid() -> String {
    let mut heard: BTreeMap<(Publisher, Publisher), Vec<&str>> = BTreeMap::new();
    for part in parts() {
        for line in &part.lines {
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
