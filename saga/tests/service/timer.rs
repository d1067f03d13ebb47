//! Deadlines, some of which cannot be carried out: the others go on.

use std::sync::{Arc, Mutex};

use saga::{Deadlines, SagaId, Timer};
use sqlx::PgPool;

use crate::toy::{Ask, Command, Counter, count, database, task};

/// Poison at the head of everything due, and how often it was queried.
struct Poisoned {
    due: Vec<Command>,
    limit: usize,
    asked: Arc<Mutex<Vec<usize>>>,
}

impl Deadlines<Command> for Poisoned {
    const WHAT: &'static str = "due";

    async fn due(&self, _: &PgPool, aside: &[SagaId]) -> sqlx::Result<Vec<Command>> {
        self.asked.lock().expect("no panic").push(aside.len());
        let due = self.due.iter().filter(|command| !aside.contains(&command.task.task_id));
        Ok(due.take(self.limit).cloned().collect())
    }
}

#[tokio::test]
async fn poison_at_the_head_of_what_is_due_neither_stops_nor_starves_the_rest() {
    let db = database().await;
    let poison = (0..3).map(|_| Command::new(task(), Ask::Panic));
    let good: Vec<Command> = (0..3).map(|_| Command::new(task(), Ask::Count)).collect();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let due = poison.chain(good.iter().cloned()).collect();
    let mut timer = Timer::new(db.work(Counter), Poisoned { due, limit: 3, asked: asked.clone() });

    assert_eq!(timer.step().await.expect("the database is there"), 0, "all that is due at first is poison");
    assert_eq!(timer.step().await.expect("the database is there"), 3);
    for command in &good {
        assert_eq!(count(&db, command.task.task_id).await, Some(100));
    }
    assert_eq!(*asked.lock().expect("no panic"), [0, 3], "poison is not asked for again at once");
}
