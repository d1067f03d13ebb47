//! A run in words: one line for every step.

use events::Publisher;

use crate::bus::{Bus, Saga, Step, What, World};

/// What happens, and what is said because of it.
pub(crate) fn tell(bus: &Bus, begin: &World, steps: &[Step]) -> String {
    let mut world = begin.clone();
    let mut story = String::new();
    for step in steps {
        let Some(next) = bus.take(&world, *step) else { continue };
        story.push_str(&line(&world, &next, *step));
        story.push('\n');
        world = next;
    }
    story
}

fn line(world: &World, next: &World, step: Step) -> String {
    let (before, after) = (&world.sagas[step.order], &next.sagas[step.order]);
    let mut consequences: Vec<String> =
        Publisher::all().flat_map(|from| after.topic(from).said[before.topic(from).said.len()..].iter()).map(|said| said.event_type.to_owned()).collect();
    consequences.extend(after.attempts[before.attempts.len()..].iter().map(|attempt| format!("({})", attempt.wanted.kind)));
    let order = if world.sagas.len() > 1 { format!("{}: ", step.order + 1) } else { String::new() };
    let consequences = if consequences.is_empty() { String::new() } else { format!(" -> {}", consequences.join(", ")) };
    format!("{order}{}{consequences}", happening(before, step.what))
}

fn happening(saga: &Saga, what: What) -> String {
    let call = |attempt: usize| saga.attempts[attempt].wanted.kind;
    match what {
        What::Deliver { from, to } => {
            let event = saga.topic(from).next(to).map_or("nothing", |said| said.event_type);
            format!("{to} hears {event}")
        }
        What::Redeliver { from, to, nth } => format!("{to} hears {} again", saga.topic(from).said[nth].event_type),
        What::RequestAgain => "the client requests again".to_owned(),
        What::Cancel => "the buyer cancels".to_owned(),
        What::TimeOut => "the deadline passes".to_owned(),
        What::Answer { attempt } => format!("answered: {}", call(attempt)),
        What::LoseAnswer { attempt } => format!("carried out, but the answer is lost: {}", call(attempt)),
        What::GiveUp { attempt } => format!("given up: {}", call(attempt)),
    }
}
