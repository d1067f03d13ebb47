//! Words in a program's table, which are shown in diagrams and on terminals.

use events::publisher::{self, topic_of_aggregate};
use saga::choreography::{On, Part as Table, is_name};

/// Checks the text in a program's table, which is shown in diagrams and on terminals.
pub(super) fn check_words(table: &Table) -> Result<(), String> {
    let is_prose = |text: &str| text.len() <= 200 && !text.contains(|c: char| c.is_control() || "|\"`<>".contains(c));
    publisher::check_name(&table.service)?;
    if table.topic != topic_of_aggregate(&table.service) {
        return Err(format!("`{}` publishes on {}.events, and not on {:?}", table.service, table.service, table.topic));
    }
    for reaction in &table.reactions {
        reaction.check()?;
        let (event, words) = match &reaction.on {
            On::Event { event, publisher, topic, .. } => (Some((event, publisher, topic)), &reaction.decision),
            On::Occasion { occasion, .. } => (None, occasion),
        };
        let names = reaction
            .says
            .iter()
            .chain(&reaction.step)
            .chain(&reaction.asks)
            .chain(event.into_iter().flat_map(|(event, publisher, topic)| [event, publisher, topic]));
        if let Some(odd) = names.into_iter().find(|name| !is_name(name)) {
            return Err(format!(
                "{odd:?} is no name of an event, a publisher, a topic, a step or a call: letters, digits, `_`, `.` and `-` are"
            ));
        }
        if let Some(odd) = [words, &reaction.decision].into_iter().find(|words| !is_prose(words)) {
            return Err(format!("{odd:?} cannot be shown: leave out control characters, quotes and brackets"));
        }
    }
    Ok(())
}
