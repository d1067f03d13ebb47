//! Events: who says them, and who consumes them.

use saga::choreography::On;

use super::{Fault, some};
use crate::{
    Code, Finding,
    graph::{EventId, Graph, Line},
};

/// Events that nobody consumes. If another outcome of the same decision is consumed, this one has been forgotten.
pub(super) fn unheard(graph: &Graph<'_>) -> Vec<Fault> {
    let is_needed =
        |event: &EventId| !graph.is_end(*event) && !graph.informs(*event) && graph.hearers(*event).is_empty();
    let spoken = (0..graph.events.len()).filter(is_needed).filter_map(|event| {
        let line = graph.lines.iter().position(|line| line.says.contains(&event))?;
        Some((event, line))
    });
    spoken.map(|(event, line)| Fault { finding: nobody_hears(graph, event, line), events: vec![event] }).collect()
}

fn nobody_hears(graph: &Graph<'_>, event: EventId, line: usize) -> Finding {
    let speaker = &graph.lines[line];
    let (name, service, decision) = (graph.name(event), speaker.service, &speaker.reaction.decision);
    let path = vec![graph.hop(line, Some(event))];
    match speaker.says.iter().find(|other| **other != event && !graph.hearers(**other).is_empty()) {
        Some(handled) => {
            let hearers: Vec<&str> = graph.hearers(*handled).iter().map(|line| graph.lines[*line].service).collect();
            Finding {
                code: Code::UnhandledOutcome,
                message: format!(
                    "`{decision}` of `{service}` may say `{name}`, which nobody consumes, instead of `{}`, for which {} waits",
                    graph.name(*handled),
                    some(&hearers)
                ),
                path,
                mend: format!(
                    "add a line for `{name}` to whatever has to happen when `{decision}` of `{service}` ends so"
                ),
            }
        }
        None => Finding {
            code: Code::UnheardEvent,
            message: format!("`{service}` says `{name}`, which nobody consumes and which ends nothing"),
            path,
            mend: format!(
                "add a line for `{name}` to a service, mark it `completes`, `aborts` or `informs` in the table of \
                 `{service}`, or do not say it"
            ),
        },
    }
}

/// Events that a service waits for, and that no service says. Clients may say anything.
pub(super) fn unsaid(graph: &Graph<'_>) -> Vec<Fault> {
    let mut all = Vec::new();
    for (line, Line { service, reaction, hears, .. }) in graph.lines.iter().enumerate() {
        let (On::Event { event, publisher, topic, .. }, Some(heard)) = (&reaction.on, hears) else { continue };
        if !graph.is_of_a_service(topic) || graph.speakers(*heard).next().is_some() {
            continue;
        }
        let is_known = graph.parts.iter().any(|part| part.topic == *topic);
        let why = if is_known { "which never says it" } else { "which is not among these services" };
        let finding = Finding {
            code: Code::UnsaidEvent,
            message: format!("`{service}` waits for `{event}` of `{publisher}` on {topic}, {why}"),
            path: vec![graph.hop(line, None)],
            mend: format!(
                "correct the name in the table of `{service}`, have `{publisher}` say it, or lint that service, too"
            ),
        };
        all.push(finding.into());
    }
    all
}

/// Events of one name that several services say.
pub(super) fn two_publishers(graph: &Graph<'_>) -> Vec<Fault> {
    let mut all = Vec::new();
    for event in 0..graph.events.len() {
        let name = graph.name(event);
        if (0..event).any(|other| graph.name(other) == name) {
            continue;
        }
        let says = |line: &Line<'_>| line.says.iter().copied().find(|said| graph.name(*said) == name);
        let speakers: Vec<(usize, EventId)> =
            graph.lines.iter().enumerate().filter_map(|(id, line)| Some((id, says(line)?))).collect();
        let mut services: Vec<&str> = speakers.iter().map(|(line, _)| graph.lines[*line].service).collect();
        services.sort_unstable();
        services.dedup();
        if services.len() > 1 {
            let finding = Finding {
                code: Code::TwoPublishers,
                message: format!("`{name}` is said by {}", some(&services)),
                path: speakers.into_iter().map(|(line, said)| graph.hop(line, Some(said))).collect(),
                mend: "give each fact one publisher: rename the others' events".to_owned(),
            };
            all.push(finding.into());
        }
    }
    all
}

/// Readers of an earlier version than the one that is said. A reader of a later version knows the earlier ones.
pub(super) fn old_readers(graph: &Graph<'_>) -> Vec<Fault> {
    let mut all = Vec::new();
    for (line, Line { service, reaction, hears, .. }) in graph.lines.iter().enumerate() {
        let (On::Event { event, version: read, .. }, Some(heard)) = (&reaction.on, hears) else { continue };
        let said = graph.speakers(*heard).map(|speaker| (speaker.service, speaker.reaction.version_of(event)));
        if let Some((publisher, said)) = said.max_by_key(|(_, version)| *version)
            && said > *read
        {
            let finding = Finding {
                code: Code::OldReader,
                message: format!(
                    "`{service}` reads version {read} of `{event}`, and `{publisher}` says version {said}"
                ),
                path: vec![graph.hop(line, None)],
                mend: format!("deploy a `{service}` that reads version {said} before `{publisher}` says it"),
            };
            all.push(finding.into());
        }
    }
    all
}
