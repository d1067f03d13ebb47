//! Kinds of inputs, and which may follow from which: what the tables say about the future of a saga.

use rustc_hash::FxHashMap;
use saga::table::{Line, Occasion, Trigger};

use crate::{
    Check,
    universe::{Input, Universe},
};

/// A set of kinds: a bit for each.
pub(crate) type Kinds = u128;

/// What an input is, whatever its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Event { topic: &'static str, event_type: &'static str },
    Occasion(&'static str),
    Answer(&'static str),
}

/// All kinds of inputs of all services.
pub(crate) struct Flow {
    kinds: Vec<(usize, Key)>,
    /// Kinds that a decision on each may lead to at once.
    next: Vec<Kinds>,
    /// Kinds of each service.
    of_service: Vec<Kinds>,
    /// The service that publishes what an event of each kind is; `None` for other inputs.
    publishers: Vec<Option<usize>>,
    known: FxHashMap<(usize, Input), usize>,
}

impl Flow {
    /// `None` if there are more kinds than a set can hold.
    pub(crate) fn of(check: &Check) -> Option<Flow> {
        let lines: Vec<(usize, Line)> = check
            .players
            .iter()
            .enumerate()
            .flat_map(|(service, player)| player.lines().into_iter().map(move |line| (service, line)))
            .collect();
        let mut kinds: Vec<(usize, Key)> = Vec::new();
        for (service, line) in &lines {
            let kind = (*service, key(line));
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        if kinds.len() > 128 {
            return None;
        }
        let mut flow = Flow {
            next: vec![0; kinds.len()],
            of_service: vec![0; check.players.len()],
            publishers: kinds.iter().map(|(_, key)| publisher(check, *key)).collect(),
            kinds,
            known: FxHashMap::default(),
        };
        for (service, line) in &lines {
            let kind = flow.find(*service, key(line)).expect("each line has a kind");
            flow.of_service[*service] |= 1 << kind;
            flow.next[kind] |= flow.after(check, *service, line, &lines);
        }
        Some(flow)
    }

    fn after(&self, check: &Check, service: usize, line: &Line, lines: &[(usize, Line)]) -> Kinds {
        let topic = check.players[service].topic();
        let lists_calls = lines.iter().any(|(of, line)| *of == service && !line.decision.asks.is_empty());
        let follows = |(of, key): &(usize, Key)| match key {
            Key::Event { topic: from, event_type } => *from == topic && line.may_say(event_type),
            Key::Answer(call) => *of == service && (!lists_calls || line.decision.asks.contains(call)),
            Key::Occasion(_) => false,
        };
        let kinds = self.kinds.iter().enumerate().filter(|(_, kind)| follows(kind));
        kinds.fold(0, |set, (kind, _)| set | 1 << kind)
    }

    fn find(&self, service: usize, key: Key) -> Option<usize> {
        self.kinds.iter().position(|kind| *kind == (service, key))
    }

    /// The kind of an input; `None` if no line of the service's table is for it.
    pub(crate) fn kind(&mut self, universe: &Universe<'_>, service: usize, input: Input) -> Option<usize> {
        if let Some(kind) = self.known.get(&(service, input)) {
            return Some(*kind);
        }
        let players = &universe.check.players;
        let key = match input {
            Input::Request(request) => {
                let asked = &universe.check.requests[request];
                Key::Event { topic: asked.topic, event_type: asked.event_type }
            }
            Input::Event(event) => {
                let event = universe.event(event);
                Key::Event { topic: players[event.publisher].topic(), event_type: event.event_type }
            }
            Input::Occasion(occasion) => Key::Occasion(players[service].occasions()[occasion]),
            Input::Answer { call, .. } => Key::Answer(universe.calls.get(call).attempt.kind),
        };
        let kind = self.find(service, key)?;
        self.known.insert((service, input), kind);
        Some(kind)
    }

    /// Everything that may come of these kinds, themselves included, while some services (a bit for each) decide nothing.
    pub(crate) fn future(&self, begin: Kinds, without: u64) -> Kinds {
        let (mut all, mut new) = (begin, begin);
        while new != 0 {
            let kind = new.trailing_zeros() as usize;
            new &= new - 1;
            if without >> self.kinds[kind].0 & 1 == 0 {
                let next = self.next[kind] & !all;
                all |= next;
                new |= next;
            }
        }
        all
    }

    pub(crate) fn of_service(&self, service: usize) -> Kinds {
        self.of_service[service]
    }

    /// Services of some kinds that are events, and the services that publish them.
    pub(crate) fn events(&self, mut kinds: Kinds) -> impl Iterator<Item = (usize, usize)> {
        std::iter::from_fn(move || {
            let kind = (kinds != 0).then(|| kinds.trailing_zeros() as usize)?;
            kinds &= kinds - 1;
            Some((self.kinds[kind].0, self.publishers[kind]))
        })
        .filter_map(|(service, publisher)| Some((service, publisher?)))
    }

    /// A kind in words.
    pub(crate) fn name(&self, kind: usize) -> String {
        match self.kinds[kind].1 {
            Key::Event { event_type, .. } => event_type.to_owned(),
            Key::Occasion(occasion) => occasion.to_owned(),
            Key::Answer(call) => format!("the answer to {call}"),
        }
    }

    pub(crate) fn service(&self, kind: usize) -> usize {
        self.kinds[kind].0
    }

    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }
}

fn publisher(check: &Check, key: Key) -> Option<usize> {
    match key {
        Key::Event { topic, .. } => check.players.iter().position(|player| player.topic() == topic),
        Key::Occasion(_) | Key::Answer(_) => None,
    }
}

fn key(line: &Line) -> Key {
    match line.trigger {
        Trigger::Event { event_type, publisher, .. } => Key::Event { topic: publisher.topic(), event_type },
        Trigger::Occasion(Occasion::Answer(call)) => Key::Answer(call),
        Trigger::Occasion(occasion) => Key::Occasion(occasion.text()),
    }
}
