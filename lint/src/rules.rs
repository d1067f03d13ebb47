//! Findings that the graph shows without running it.

use saga::{
    choreography::{Kind, On, Reaction},
    table::Phase,
};

use crate::{
    Code, Finding,
    graph::{EventId, Graph, Line},
};

pub(crate) fn findings(graph: &Graph<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    unheard(graph, &mut all);
    unsaid(graph, &mut all);
    two_publishers(graph, &mut all);
    endless(graph, &mut all);
    no_deadline(graph, &mut all);
    old_readers(graph, &mut all);
    calls(graph, &mut all);
    two_meanings(graph, &mut all);
    all
}

/// Events that nobody consumes. If another outcome of the same decision is consumed, this one has been forgotten.
fn unheard(graph: &Graph<'_>, all: &mut Vec<Finding>) {
    for event in 0..graph.events.len() {
        let is_needed = !graph.is_end(event) && !graph.informs(event) && graph.hearers(event).next().is_none();
        let Some((line, speaker)) = graph.lines.iter().enumerate().find(|(_, line)| line.says.contains(&event)) else {
            continue;
        };
        if !is_needed {
            continue;
        }
        let (name, service) = (graph.name(event), speaker.service);
        let path = vec![graph.hop(line, Some(event))];
        let handled = speaker.says.iter().find(|other| **other != event && graph.hearers(**other).next().is_some());
        all.push(match handled {
            Some(handled) => {
                let (handled, decision) = (graph.name(*handled), &speaker.reaction.decision);
                let hearers: Vec<&str> = graph
                    .lines
                    .iter()
                    .filter(|line| line.hears.is_some_and(|heard| graph.name(heard) == handled))
                    .map(|line| line.service)
                    .collect();
                Finding {
                    code: Code::UnhandledOutcome,
                    message: format!(
                        "`{service}` may say `{name}` instead of `{handled}`, which nobody consumes: {} waits for ever",
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
        });
    }
}

/// Events that a service waits for, and that no service says. Clients may say anything.
fn unsaid(graph: &Graph<'_>, all: &mut Vec<Finding>) {
    for (line, Line { service, reaction, hears, .. }) in graph.lines.iter().enumerate() {
        let (On::Event { event, publisher, topic, .. }, Some(heard)) = (&reaction.on, hears) else { continue };
        if !graph.is_of_a_service(topic) || graph.speakers(*heard).next().is_some() {
            continue;
        }
        let is_known = graph.parts.iter().any(|part| part.topic == *topic);
        let why = if is_known { "which never says it" } else { "which is not among these services" };
        all.push(Finding {
            code: Code::UnsaidEvent,
            message: format!("`{service}` waits for `{event}` of `{publisher}` on {topic}, {why}"),
            path: vec![graph.hop(line, None)],
            mend: format!(
                "correct the name in the table of `{service}`, have `{publisher}` say it, or lint that service, too"
            ),
        });
    }
}

fn two_publishers(graph: &Graph<'_>, all: &mut Vec<Finding>) {
    for event in 0..graph.events.len() {
        let name = graph.name(event);
        let speaks = |line: &&Line<'_>| line.says.iter().any(|said| graph.name(*said) == name);
        let mut services: Vec<&str> = graph.lines.iter().filter(speaks).map(|line| line.service).collect();
        services.sort_unstable();
        services.dedup();
        let is_first = (0..event).all(|other| graph.name(other) != name);
        if services.len() > 1 && is_first {
            let speakers = graph.lines.iter().enumerate().filter(|(_, line)| speaks(line));
            all.push(Finding {
                code: Code::TwoPublishers,
                message: format!("`{name}` is said by {}", some(&services)),
                path: speakers
                    .map(|(id, line)| graph.hop(id, line.says.iter().copied().find(|said| graph.name(*said) == name)))
                    .collect(),
                mend: "give each fact one publisher: rename the others' events".to_owned(),
            });
        }
    }
}

/// Cycles that no path leaves towards an end.
fn endless(graph: &Graph<'_>, all: &mut Vec<Finding>) {
    let ends = graph.leading_to(|event| graph.is_end(event) || graph.informs(event));
    for event in 0..graph.events.len() {
        if ends[event] {
            continue;
        }
        // One finding for each cycle: from its first event.
        if let Some(path) = cycle(graph, event)
            && path.iter().all(|(_, said)| *said >= event)
        {
            let names: Vec<&str> = path.iter().map(|(_, said)| graph.name(*said)).collect();
            all.push(Finding {
                code: Code::EndlessCycle,
                message: format!(
                    "`{}` leads back to itself by way of {}, and no event on the way leads to an end",
                    graph.name(event),
                    some(&names)
                ),
                path: path.into_iter().map(|(line, said)| graph.hop(line, Some(said))).collect(),
                mend: "have one of these decisions end the saga, or stop saying the event that closes the cycle"
                    .to_owned(),
            });
        }
    }
}

/// The shortest way from an event back to itself: lines and what each says.
fn cycle(graph: &Graph<'_>, event: EventId) -> Option<Vec<(usize, EventId)>> {
    let mut came_by: Vec<Option<(EventId, usize)>> = vec![None; graph.events.len()];
    let mut next = std::collections::VecDeque::from([event]);
    while let Some(at) = next.pop_front() {
        for (line, said) in graph.follow(at) {
            if came_by[said].is_some() {
                continue;
            }
            came_by[said] = Some((at, line));
            if said == event {
                let (mut path, mut back) = (Vec::new(), event);
                while let Some((before, line)) = came_by[back] {
                    path.push((line, back));
                    back = before;
                    if back == event {
                        break;
                    }
                }
                path.reverse();
                return Some(path);
            }
            next.push_back(said);
        }
    }
    None
}

/// Flows that a client begins and that wait for another service, in which no service has a deadline that leads to an end.
fn no_deadline(graph: &Graph<'_>, all: &mut Vec<Finding>) {
    let ends = graph.leading_to(|event| graph.is_end(event));
    for (start, line) in graph.lines.iter().enumerate().filter(|(_, line)| graph.is_from_outside(line)) {
        let is_deadline = |line: &Line<'_>| matches!(line.reaction.on, On::Occasion { kind: Kind::Deadline, .. });
        if is_deadline(line) || !graph.begins_a_saga(start) {
            continue;
        }
        let reached = reached(graph, &line.says);
        let services: Vec<&str> = graph
            .lines
            .iter()
            .filter(|other| other.hears.is_some_and(|heard| reached[heard]) || std::ptr::eq(*other, line))
            .map(|other| other.service)
            .collect();
        let waits = services.iter().any(|service| service != &line.service);
        let is_bounded = graph.lines.iter().any(|other| {
            is_deadline(other) && services.contains(&other.service) && other.says.iter().any(|said| ends[*said])
        });
        if waits && !is_bounded {
            let hop = graph.hop(start, line.says.first().copied());
            all.push(Finding {
                code: Code::NoDeadline,
                message: format!(
                    "a saga that `{}` of `{}` begins waits for other services, and none of them has a deadline for it",
                    hop.decision, line.service
                ),
                path: vec![hop],
                mend: format!(
                    "give a service, such as `{}`, a deadline (`Table::when` with `deadline`) whose event leads to an end",
                    line.service
                ),
            });
        }
    }
}

/// Events that follow some events, including those.
fn reached(graph: &Graph<'_>, from: &[EventId]) -> Vec<bool> {
    let mut reached = vec![false; graph.events.len()];
    let mut next = from.to_vec();
    while let Some(event) = next.pop() {
        if !std::mem::replace(&mut reached[event], true) {
            next.extend(graph.follow(event).map(|(_, said)| said));
        }
    }
    reached
}

/// Readers of an earlier version than the one that is said. A reader of a later version knows the earlier ones.
fn old_readers(graph: &Graph<'_>, all: &mut Vec<Finding>) {
    for (line, Line { service, reaction, hears, .. }) in graph.lines.iter().enumerate() {
        let (On::Event { event, version: read, .. }, Some(heard)) = (&reaction.on, hears) else { continue };
        let said = graph.speakers(*heard).map(|speaker| (speaker.service, speaker.reaction.version_of(event)));
        if let Some((publisher, said)) = said.max_by_key(|(_, version)| *version)
            && said > *read
        {
            all.push(Finding {
                code: Code::OldReader,
                message: format!(
                    "`{service}` reads version {read} of `{event}`, and `{publisher}` says version {said}"
                ),
                path: vec![graph.hop(line, None)],
                mend: format!("deploy a `{service}` that reads version {said} before `{publisher}` says it"),
            });
        }
    }
}

/// Calls that are asked for and whose answer has no line, answers to calls that nobody asks for, and answers that lead to
/// events which no decision that asks for the call announces.
fn calls(graph: &Graph<'_>, all: &mut Vec<Finding>) {
    for (id, line) in graph.lines.iter().enumerate() {
        let service = line.service;
        let same = || graph.lines.iter().filter(|other| other.service == service);
        for call in &line.reaction.asks {
            if !same().any(|other| other.answers(call)) {
                all.push(Finding {
                    code: Code::UnansweredCall,
                    message: format!(
                        "`{}` of `{service}` asks for the call `{call}`, and no line says what follows its answer",
                        line.reaction.decision
                    ),
                    path: vec![graph.hop(id, None)],
                    mend: format!("add a line `when(answer(\"{call}\"), …)` to the table of `{service}`"),
                });
            }
        }
        let On::Occasion { occasion: call, kind: Kind::Answer } = &line.reaction.on else { continue };
        let mut askers = same().filter(|other| other.reaction.asks.contains(call)).peekable();
        if askers.peek().is_none() {
            all.push(Finding {
                code: Code::UnansweredCall,
                message: format!(
                    "`{service}` has a line for the answer to `{call}`, and none of its decisions asks for it"
                ),
                path: vec![graph.hop(id, None)],
                mend: format!("name the call in the decision that asks for it: `.asking(&[\"{call}\"])`"),
            });
            continue;
        }
        let announced: Vec<EventId> = askers.flat_map(|asker| asker.says.iter().copied()).collect();
        if let Some(more) = line.says.iter().find(|said| !announced.contains(said)) {
            let more = *more;
            all.push(Finding {
                code: Code::UnansweredCall,
                message: format!(
                    "the answer to `{call}` may make `{service}` say `{}`, which no decision that asks for the call lists",
                    graph.name(more)
                ),
                path: vec![graph.hop(id, Some(more))],
                mend: format!("list `{}` in the line that asks for `{call}`, too: it leads to it", graph.name(more)),
            });
        }
    }
}

/// Events that one line of a service marks and another does not, or that tell of a step's taking in one line and of its undoing
/// in another. Who consumes such an event cannot know what it means.
fn two_meanings(graph: &Graph<'_>, all: &mut Vec<Finding>) {
    for event in 0..graph.events.len() {
        let name = graph.name(event);
        let mut speakers = graph.lines.iter().enumerate().filter(|(_, line)| line.says.contains(&event));
        let Some((first, one)) = speakers.next() else { continue };
        let Some((second, why)) = speakers.find_map(|(id, other)| Some((id, difference(name, one, other)?))) else {
            continue;
        };
        let service = one.service;
        all.push(Finding {
            code: Code::TwoMeanings,
            message: format!("`{name}` of `{service}` {why}"),
            path: vec![graph.hop(first, Some(event)), graph.hop(second, Some(event))],
            mend: format!(
                "mark `{name}` alike wherever `{service}` says it, or say another event in one of the two lines"
            ),
        });
    }
}

/// Difference of meaning between two lines that say an event.
fn difference(event: &str, one: &Line<'_>, other: &Line<'_>) -> Option<String> {
    type Marks = fn(&Reaction) -> &Vec<String>;
    let marks: [(&str, Marks); 5] = [
        ("refuses", |reaction| &reaction.refuses),
        ("completes", |reaction| &reaction.completes),
        ("aborts", |reaction| &reaction.aborts),
        ("pivot", |reaction| &reaction.pivots),
        ("informs", |reaction| &reaction.informs),
    ];
    // An end without effect tells the same, whether a step was refused or undone.
    if one.marks(event, |reaction| &reaction.aborts) && other.marks(event, |reaction| &reaction.aborts) {
        return None;
    }
    let decisions = [one, other].map(|line| &line.reaction.decision);
    for (mark, marked) in marks {
        let is_marked = [one, other].map(|line| line.marks(event, marked));
        if is_marked[0] != is_marked[1] {
            let [with, without] = if is_marked[0] { decisions } else { [decisions[1], decisions[0]] };
            return Some(format!("is marked `{mark}` where `{with}` says it, and not where `{without}` does"));
        }
    }
    let effect = |phase| match phase {
        Phase::Try | Phase::Do => "taken",
        Phase::Confirm => "confirmed",
        Phase::Cancel | Phase::Withdraw => "undone",
    };
    let ((step, phase), (same, others)) = (one.does?, other.does?);
    let effects = [effect(phase), effect(others)];
    (step == same && effects[0] != effects[1]).then(|| {
        format!(
            "tells that the step is {} where `{}` says it, and that it is {} where `{}` does",
            effects[0], decisions[0], effects[1], decisions[1]
        )
    })
}

/// Names in a sentence.
fn some(names: &[&str]) -> String {
    let mut names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.dedup();
    match names.split_last() {
        None => "nobody".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
