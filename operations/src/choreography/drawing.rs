//! The choreography as a table and as diagrams.

use std::collections::BTreeSet;

use saga::{
    choreography::{On, Reaction},
    table::Phase,
};

use super::Choreography;

/// Events of one publisher that a service consumes.
struct Arrow<'a> {
    from: &'a str,
    to: &'a str,
    events: Vec<&'a Reaction>,
}

impl Choreography {
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

    /// The diagram of the README, in Mermaid: which service consumes which events of which other.
    pub fn mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        for Arrow { from, to, events } in self.drawn() {
            let events: Vec<&str> = events.into_iter().filter_map(Reaction::event).collect();
            text.push_str(&format!("    {from} -- \"{}\" --> {to}\n", events.join("<br/>")));
        }
        text
    }

    /// The same in DOT, for Graphviz. Clients are ellipses; events on which a service undoes its step are dashed arrows of their
    /// own.
    pub fn dot(&self) -> String {
        let mut text = String::from("digraph choreography {\n    rankdir=LR;\n    node [shape=box];\n");
        let services: BTreeSet<&str> = self.0.iter().map(|table| table.service.as_str()).collect();
        let clients: BTreeSet<&str> =
            self.drawn().iter().map(|arrow| arrow.from).filter(|from| !services.contains(from)).collect();
        for client in clients {
            text.push_str(&format!("    \"{client}\" [shape=ellipse];\n"));
        }
        for Arrow { from, to, events } in self.drawn() {
            let undoes = |reaction: &&&Reaction| matches!(reaction.phase, Some(Phase::Cancel | Phase::Withdraw));
            for (style, is_undoing) in [("", false), (", style=dashed", true)] {
                let events = events.iter().filter(|reaction| undoes(reaction) == is_undoing);
                let events: Vec<&str> = events.filter_map(|reaction| reaction.event()).collect();
                if !events.is_empty() {
                    text.push_str(&format!("    \"{from}\" -> \"{to}\" [label=\"{}\"{style}];\n", events.join("\\n")));
                }
            }
        }
        text.push_str("}\n");
        text
    }

    /// Each pair of a publisher and a service that consumes its events: clients first, then in the order of the tables.
    fn drawn(&self) -> Vec<Arrow<'_>> {
        let mut all: Vec<Arrow<'_>> = Vec::new();
        for table in &self.0 {
            for reaction in &table.reactions {
                let On::Event { publisher, .. } = &reaction.on else { continue };
                let (from, to) = (publisher.as_str(), table.service.as_str());
                match all.iter_mut().find(|arrow| (arrow.from, arrow.to) == (from, to)) {
                    Some(arrow) => arrow.events.push(reaction),
                    None => all.push(Arrow { from, to, events: vec![reaction] }),
                }
            }
        }
        let place = |name: &str| self.0.iter().position(|table| table.service == name);
        all.sort_by_key(|arrow| (place(arrow.from), place(arrow.to)));
        all
    }
}
