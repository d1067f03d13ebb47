//! Steps in words.

use crate::{
    bus::{Step, What},
    laws,
    universe::{Input, Universe},
    world::World,
};

impl Universe<'_> {
    /// A step in words.
    pub(crate) fn told(&mut self, world: &World, step: Step) -> String {
        let Step { saga: number, service, what } = step;
        let saga = self.between_of(world, number);
        let name = self.check.players[service].name();
        let again = if matches!(what, What::Again { .. }) { ", again" } else { "" };
        let input = match self.brought(&saga, service, what) {
            Ok(Some(brought)) => brought.input,
            Ok(None) => {
                let after = self.advanced(&saga, service, what);
                let set_aside = after.aside.get(&service).and_then(|aside| aside.last());
                let event = set_aside.map_or_else(String::new, |aside| self.input_told(service, aside.input));
                let why = if matches!(what, What::Park { .. }) { "parked" } else { "waits behind a parked event" };
                return format!("{event} → {name} ({why})");
            }
            Err(_) => return format!("nothing → {name}"),
        };
        let on = format!("{}{again}", self.input_told(service, input));
        let outcome = self.outcome(service, world.rows(service), input);
        let Ok(effect) = outcome.as_ref() else { return format!("{on} → {name}") };
        let said: Vec<&str> = effect.says.iter().map(|said| self.event(*said).event_type).collect();
        let said = if said.is_empty() { String::new() } else { format!(" → {}", said.join(", ")) };
        format!("{on} → {name} ({}){said}", effect.decision)
    }

    fn input_told(&self, service: usize, input: Input) -> String {
        match input {
            Input::Request(request) => self.check.requests[request].event_type.to_owned(),
            Input::Event(event) => self.event(event).event_type.to_owned(),
            Input::Occasion(occasion) => self.check.players[service].occasions()[occasion].to_owned(),
            Input::Answer { call, .. } => format!("the answer to {}", self.calls.get(call).attempt.kind),
        }
    }

    /// How a step is undone out of order.
    pub(crate) fn out_of_order(&self, saga: usize, step: usize, earlier: u64) -> String {
        let named = |step: usize| laws::step_name(self.check, self.steps[step]);
        let earlier = (0..self.steps.len()).find(|other| earlier >> other & 1 == 1).map(named).unwrap_or_default();
        format!("{}: {} was taken after {earlier}, and is undone after it", self.saga_id(saga), named(step))
    }
}
