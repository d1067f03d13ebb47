//! A run as text, one line per step.

use events::publisher;

use crate::bus::{Action, Bus, Saga, What, World};

/// Each action, and the events that it causes.
pub(crate) fn tell(bus: &Bus, begin: &World, steps: &[Action]) -> String {
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

fn line(world: &World, next: &World, Action { order, what }: Action) -> String {
    let (before, after) = (&world.sagas[order], &next.sagas[order]);
    let said = publisher::all().flat_map(|from| &after.topic(from).events()[before.topic(from).events().len()..]);
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
    let next = |from, to| saga.topic(from).next(to).map_or("nothing", |event| event.said.event_type);
    match what {
        What::Deliver { from, to } if saga.first_aside(to).is_some() => {
            format!("{to} puts {} behind another", next(from, to))
        }
        What::Deliver { from, to } => format!("{to} hears {}", next(from, to)),
        What::Redeliver { from, to, nth } => {
            format!("{to} hears {} again", saga.topic(from).events()[nth].said.event_type)
        }
        What::TakeUp { by } => format!("{by} takes up what it has put aside"),
        What::RequestOther => "the client requests something else under the same name".to_owned(),
        What::Change(change) => format!("people change something: {change:?}"),
        What::Provider(operation) => format!("the provider does it by itself: {operation:?}"),
        What::Park { from, to } => format!("{to} puts aside {}", next(from, to)),
        What::ParkCall { attempt } => format!("{} is parked", kind(attempt)),
        What::Retry { at } => format!("an operator has {at} try it again"),
        What::Lose { from, to } => format!("{to} never hears {}", next(from, to)),
        What::Resolve { at } => format!("an operator drops what {at} has put aside"),
        What::Look => "reconcile reads on".to_owned(),
        What::Repair => "reconcile acts".to_owned(),
        What::RetryCall { attempt } => format!("an operator has {} tried again", kind(attempt)),
        What::DropCall { attempt } => format!("an operator drops {}", kind(attempt)),
        What::AnswerCall { attempt } => format!("an operator answers {}", kind(attempt)),
        What::RequestAgain => "the client requests it again".to_owned(),
        What::Cancel => "the buyer cancels".to_owned(),
        What::TimeOut => "the deadline passes".to_owned(),
        What::Answer { attempt } => format!("{} is answered", kind(attempt)),
        What::LoseAnswer { attempt } => format!("{} is carried out, but its answer is lost", kind(attempt)),
        What::GiveUp { attempt } => format!("{} is given up", kind(attempt)),
    }
}
