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

fn line(world: &World, next: &World, Step { order, what }: Step) -> String {
    let (before, after) = (&world.sagas[order], &next.sagas[order]);
    let said = Publisher::all().flat_map(|from| &after.topic(from).events()[before.topic(from).events().len()..]);
    let called = &after.attempts[before.attempts.len()..];
    let said = said.map(|event| event.said.event_type.to_owned());
    let called = called.iter().map(|attempt| format!("calls {}", attempt.wanted.kind));
    let consequences: Vec<String> = said.chain(called).collect();

    let whose = if world.sagas.len() > 1 { format!("#{} ", order + 1) } else { String::new() };
    let because = happening(before, what);
    if consequences.is_empty() {
        format!("{whose}{because}")
    } else {
        format!("{whose}{because} -> {}", consequences.join(", "))
    }
}

fn happening(saga: &Saga, what: What) -> String {
    let kind = |attempt: usize| saga.attempts[attempt].wanted.kind;
    match what {
        What::Deliver { from, to } => {
            let event = saga.topic(from).next(to).map_or("nothing", |event| event.said.event_type);
            format!("{to} hears {event}")
        }
        What::Redeliver { from, to, nth } => {
            format!("{to} hears {} again", saga.topic(from).events()[nth].said.event_type)
        }
        What::RequestAgain => "the client requests it again".to_owned(),
        What::Cancel => "the buyer cancels".to_owned(),
        What::TimeOut => "the deadline passes".to_owned(),
        What::Answer { attempt } => format!("{} is answered", kind(attempt)),
        What::LoseAnswer { attempt } => format!("{} is carried out, but its answer is lost", kind(attempt)),
        What::GiveUp { attempt } => format!("{} is given up", kind(attempt)),
    }
}
