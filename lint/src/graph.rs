//! The graph that the tables make together.

use std::collections::BTreeMap;

use saga::{
    choreography::{Kind, On, Part, Reaction},
    table::Phase,
};

use crate::Hop;

/// Index of an event.
pub(crate) type EventId = usize;
/// Index of a line.
pub(crate) type LineId = usize;
/// Index of a step.
pub(crate) type StepId = usize;

/// All tables, indexed.
pub(crate) struct Graph<'a> {
    pub(crate) parts: &'a [Part],
    pub(crate) lines: Vec<Line<'a>>,
    /// Each event once: the topic that carries it, and its type.
    pub(crate) events: Vec<(&'a str, &'a str)>,
    /// Each step once: service and name.
    pub(crate) steps: Vec<(&'a str, &'a str)>,
    /// Lines that consume each event.
    hearers: Vec<Vec<LineId>>,
    /// How the saga ends with each event.
    ends: Vec<Ends>,
    /// Lines about the answers to what each line asks for.
    answers: Vec<Vec<LineId>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    completes: bool,
    aborts: bool,
    informs: bool,
}

/// A line of a table.
pub(crate) struct Line<'a> {
    pub(crate) service: &'a str,
    /// Index of the service.
    pub(crate) part: usize,
    pub(crate) reaction: &'a Reaction,
    pub(crate) hears: Option<EventId>,
    pub(crate) says: Vec<EventId>,
    /// Step and what is done to it.
    pub(crate) does: Option<(StepId, Phase)>,
}

impl<'a> Graph<'a> {
    pub(crate) fn of(parts: &'a [Part]) -> Self {
        let (mut lines, mut all_events, mut all_steps) = (Vec::new(), Vec::new(), Vec::new());
        let (mut events, mut steps) = (BTreeMap::new(), BTreeMap::new());
        for (number, part) in parts.iter().enumerate() {
            for reaction in &part.reactions {
                let mut event = |topic: &'a str, event: &'a str| {
                    *events.entry((topic, event)).or_insert_with(|| {
                        all_events.push((topic, event));
                        all_events.len() - 1
                    })
                };
                let hears = match &reaction.on {
                    On::Event { event: heard, topic, .. } => Some(event(topic, heard)),
                    On::Occasion { .. } => None,
                };
                let says = reaction.says.iter().map(|said| event(&part.topic, said)).collect();
                let does = reaction.phase.map(|phase| {
                    let key = (part.service.as_str(), reaction.step.as_deref().unwrap_or(&part.service));
                    let step = *steps.entry(key).or_insert_with(|| {
                        all_steps.push(key);
                        all_steps.len() - 1
                    });
                    (step, phase)
                });
                lines.push(Line { service: &part.service, part: number, reaction, hears, says, does });
            }
        }
        let (mut hearers, mut ends) = (vec![Vec::new(); all_events.len()], vec![Ends::default(); all_events.len()]);
        for (id, line) in lines.iter().enumerate() {
            if let Some(heard) = line.hears {
                hearers[heard].push(id);
            }
            for said in &line.says {
                let name = all_events[*said].1;
                let before = ends[*said];
                ends[*said] = Ends {
                    completes: before.completes || line.marks(name, |reaction| &reaction.completes),
                    aborts: before.aborts || line.marks(name, |reaction| &reaction.aborts),
                    informs: before.informs || line.marks(name, |reaction| &reaction.informs),
                };
            }
        }
        let mut answered: BTreeMap<(usize, &str), Vec<LineId>> = BTreeMap::new();
        for (id, line) in lines.iter().enumerate() {
            if let On::Occasion { occasion: call, kind: Kind::Answer } = &line.reaction.on {
                answered.entry((line.part, call)).or_default().push(id);
            }
        }
        let answers_to = |line: &Line<'_>| {
            let calls = line.reaction.asks.iter().filter_map(|call| answered.get(&(line.part, call.as_str())));
            let mut answers: Vec<LineId> = calls.flatten().copied().collect();
            answers.sort_unstable();
            answers.dedup();
            answers
        };
        let answers = lines.iter().map(answers_to).collect();
        Graph { parts, lines, events: all_events, steps: all_steps, hearers, ends, answers }
    }

    /// Type of an event.
    pub(crate) fn name(&self, event: EventId) -> &'a str {
        self.events[event].1
    }

    /// Name of a step, for people.
    pub(crate) fn step(&self, step: StepId) -> String {
        let (service, name) = self.steps[step];
        if service == name { format!("`{service}`'s step") } else { format!("`{service}`'s step `{name}`") }
    }

    /// Lines that consume an event.
    pub(crate) fn hearers(&self, event: EventId) -> &[LineId] {
        &self.hearers[event]
    }

    /// Lines that may say an event.
    pub(crate) fn speakers(&self, event: EventId) -> impl Iterator<Item = &Line<'a>> {
        self.lines.iter().filter(move |line| line.says.contains(&event))
    }

    /// Lines about the answers to what a line asks for.
    pub(crate) fn answers(&self, line: LineId) -> impl Iterator<Item = LineId> {
        self.answers[line].iter().copied()
    }

    /// True if the topic is a service's; others are those of clients.
    pub(crate) fn is_of_a_service(&self, topic: &str) -> bool {
        topic.ends_with(".events") || self.parts.iter().any(|part| part.topic == topic)
    }

    /// True if a person, a client or a deadline triggers the line: no service and no answer.
    pub(crate) fn is_from_outside(&self, line: &Line<'_>) -> bool {
        match &line.reaction.on {
            On::Event { topic, .. } => !self.is_of_a_service(topic),
            On::Occasion { kind, .. } => *kind != Kind::Answer,
        }
    }

    /// True if the saga ends with the event.
    pub(crate) fn is_end(&self, event: EventId) -> bool {
        self.completes(event) || self.aborts(event)
    }

    pub(crate) fn completes(&self, event: EventId) -> bool {
        self.ends[event].completes
    }

    pub(crate) fn aborts(&self, event: EventId) -> bool {
        self.ends[event].aborts
    }

    /// True if nobody has to consume the event.
    pub(crate) fn informs(&self, event: EventId) -> bool {
        self.ends[event].informs
    }

    /// True if any table says how a saga ends. If none does, nothing is known about ends.
    pub(crate) fn knows_ends(&self) -> bool {
        (0..self.events.len()).any(|event| self.is_end(event))
    }

    /// Events that may directly follow an event, also by way of a durable call.
    pub(crate) fn follow(&self, event: EventId) -> impl Iterator<Item = (LineId, EventId)> {
        let lines = self.hearers(event).iter().flat_map(|line| std::iter::once(*line).chain(self.answers(*line)));
        lines.flat_map(|line| self.lines[line].says.iter().map(move |said| (line, *said)))
    }

    /// Lines that a line may lead to, with itself: by its events, and by its calls. `passes` tells whether to go on after an
    /// event.
    pub(crate) fn reached(&self, from: LineId, passes: impl Fn(EventId) -> bool) -> Vec<bool> {
        let mut reached = vec![false; self.lines.len()];
        let mut next = vec![from];
        while let Some(line) = next.pop() {
            if !std::mem::replace(&mut reached[line], true) {
                let says = self.lines[line].says.iter().filter(|said| passes(**said));
                next.extend(says.flat_map(|said| self.hearers(*said)));
                next.extend(self.answers(line));
            }
        }
        reached
    }

    /// Events from which a path leads to one of `ends`, including those.
    pub(crate) fn leading_to(&self, ends: impl Fn(EventId) -> bool) -> Vec<bool> {
        let mut leads: Vec<bool> = (0..self.events.len()).map(ends).collect();
        loop {
            let more: Vec<EventId> = (0..leads.len())
                .filter(|event| !leads[*event] && self.follow(*event).any(|(_, said)| leads[said]))
                .collect();
            if more.is_empty() {
                return leads;
            }
            more.into_iter().for_each(|event| leads[event] = true);
        }
    }

    /// A hop by this line.
    pub(crate) fn hop(&self, line: LineId, said: Option<EventId>) -> Hop {
        let Line { service, reaction, .. } = &self.lines[line];
        let on = match &reaction.on {
            On::Event { event, .. } => event.clone(),
            On::Occasion { occasion, .. } => occasion.clone(),
        };
        Hop {
            on,
            service: (*service).to_owned(),
            decision: reaction.decision.clone(),
            said: said.map(|said| self.name(said).to_owned()),
        }
    }
}

impl Line<'_> {
    /// Returns whether the line is about the answer to this call.
    pub(crate) fn answers(&self, call: &str) -> bool {
        matches!(&self.reaction.on, On::Occasion { occasion, kind: Kind::Answer } if occasion == call)
    }

    /// True if a deadline triggers the line.
    pub(crate) fn is_deadline(&self) -> bool {
        matches!(self.reaction.on, On::Occasion { kind: Kind::Deadline, .. })
    }

    /// True if the line holds or takes something.
    pub(crate) fn takes(&self) -> bool {
        matches!(self.does, Some((_, Phase::Try | Phase::Do)))
    }

    /// Returns whether the line says an event with this mark.
    pub(crate) fn marks(&self, event: &str, marks: fn(&Reaction) -> &Vec<String>) -> bool {
        marks(self.reaction).iter().any(|marked| marked == event)
    }

    /// True if the line refuses with this event.
    pub(crate) fn refuses(&self, event: &str) -> bool {
        self.marks(event, |reaction| &reaction.refuses)
    }
}
