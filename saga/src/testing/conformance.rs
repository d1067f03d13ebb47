//! Conformance tests for any service of a saga, whatever its business: run against a real PostgreSQL with a few sample
//! steps.
//!
//! Messages are redelivered, reordered, and arrive for sagas that never existed; replicas race; a transaction can fail at
//! any statement. A service that runs its steps through `saga`'s unit of work withstands this if its decisions and its
//! SQL do. These tests check that:
//!
//! | law | attack |
//! |---|---|
//! | a step counts once | each step is repeated after each sequence: under the same event id, and under another |
//! | two concurrent steps equal two in sequence | each pair, of one saga and of two, is decided in two transactions, of which the second reads before the first commits |
//! | a transaction is whole | each statement that writes fails once: nothing of the step remains, and repeated it counts |
//! | an undo restores | before the step, after it, and after its confirmation: the resources are as before, and a late step does nothing |
//! | a batch equals its steps one by one | each sequence is decided in one transaction, from memory, and in one transaction per step, from PostgreSQL |

mod transactions;

use std::collections::HashMap;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    TestDatabase, event, event_with_id,
    sequences::sequences,
    snapshot::{Snapshot, keep, restore},
};
use crate::{
    EventId, SagaId,
    service::Service,
    store::{Remedy, StoreError},
    unit_of_work::{Incoming, Outcome},
};

type Command<S> = Box<dyn Fn(SagaId) -> <S as Service>::Command>;

struct Sample<S: Service> {
    name: &'static str,
    command: Command<S>,
    undoes: bool,
}

/// A service under test, and the sample steps of one saga.
///
/// ```ignore
/// Conformance::of(|| Hotel, database().await)
///     .step("hold", |saga| Command::new(trip(saga), Ask::Hold))
///     .step("book", |saga| Command::new(trip(saga), Ask::Book))
///     .undo("let go", |saga| Command::new(trip(saga), Ask::LetGo(Reason::TimedOut)))
///     .resource("rooms")
///     .holds()
///     .await;
/// ```
pub struct Conformance<S: Service> {
    service: Box<dyn Fn() -> S>,
    db: TestDatabase,
    /// Rows of the database before the test.
    given: Vec<String>,
    /// The saga under test, and another beside it.
    sagas: [SagaId; 2],
    steps: Vec<Sample<S>>,
    resources: Vec<&'static str>,
}

/// Maximum tries of a step without concurrency: more retries would mean an endless loop.
const TRIES: u32 = 3;

/// Database snapshots after sequences of steps, each step in its own transaction.
type Serial = HashMap<Vec<usize>, Snapshot>;

impl<S: Service> Conformance<S> {
    /// A service over a database that has its tables and the rows that its steps need.
    pub fn of(service: impl Fn() -> S + 'static, db: TestDatabase) -> Self {
        let (steps, given, resources) = (Vec::new(), Vec::new(), Vec::new());
        let sagas = [Uuid::now_v7(), Uuid::now_v7()].map(SagaId);
        Conformance { service: Box::new(service), db, given, sagas, steps, resources }
    }

    /// Adds a step of the saga; the first one precedes all others.
    #[must_use]
    pub fn step(self, name: &'static str, command: impl Fn(SagaId) -> S::Command + 'static) -> Self {
        self.with(Sample { name, command: Box::new(command), undoes: false })
    }

    /// Adds a step that undoes the others, however far they have come.
    #[must_use]
    pub fn undo(self, name: &'static str, command: impl Fn(SagaId) -> S::Command + 'static) -> Self {
        self.with(Sample { name, command: Box::new(command), undoes: true })
    }

    /// Adds a table of resources that sagas share: an undo has to restore it.
    #[must_use]
    pub fn resource(mut self, table: &'static str) -> Self {
        self.resources.push(table);
        self
    }

    fn with(mut self, step: Sample<S>) -> Self {
        self.steps.push(step);
        self
    }

    /// Runs all checks.
    ///
    /// # Panics
    /// At the first law that does not hold, with the steps that show it; without a real PostgreSQL; and if the samples
    /// prove nothing because no step publishes or changes anything.
    pub async fn holds(mut self) {
        self.given = keep(self.db.pool()).await.expect("the rows can be kept");
        self.sql(
            "create function fails() returns trigger language plpgsql as 'begin raise exception ''it fails''; end'",
        )
        .await;
        let steps = self.steps.len();
        let mut serial = Serial::new();
        for sequence in sequences(steps, 2) {
            self.counts_once(&sequence, &mut serial).await;
        }
        self.samples_show_something(&serial);
        self.undoes(&mut serial).await;
        let of_two = (0..steps).flat_map(|first| (steps..2 * steps).map(move |second| vec![0, steps, first, second]));
        for sequence in sequences(steps, 2).into_iter().chain([(0..steps).collect()]).chain(of_two) {
            self.batches(&sequence, &mut serial).await;
        }
        for prefix in [vec![], vec![0, steps]] {
            for first in 0..steps {
                self.is_whole(&prefix, first, &mut serial).await;
                for second in 0..2 * steps {
                    self.race(&prefix, [first, second], &mut serial).await;
                }
            }
        }
        let own = S::table();
        for (publisher, about, event_type, _) in serial.values().flat_map(|after| &after.said) {
            assert_eq!(publisher, S::NAME, "{event_type} is not its own");
            assert!(own.lines().any(|line| line.may_say(event_type)), "no line of its table says {event_type}");
            assert!(self.sagas.iter().any(|saga| saga.to_string() == *about), "{event_type} is about {about}");
        }
    }

    /// Samples that change nothing would pass every check.
    fn samples_show_something(&self, serial: &Serial) {
        let initial = &serial[&Vec::new()];
        let changes = serial.values().any(|after| after != initial);
        assert!(changes, "the samples show nothing: no step of {} changes or says anything", S::NAME);
        for table in &self.resources {
            let moves = serial.values().any(|after| after.rows_of(&[table]) != initial.rows_of(&[table]));
            assert!(moves, "the samples show nothing of {table}: no step changes it");
        }
    }

    fn names(&self, sequence: &[usize]) -> String {
        let names: Vec<String> = sequence.iter().map(|step| self.name(*step)).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", then ") }
    }

    /// Names a step. Steps are numbered; those of the second saga follow those of the first.
    fn name(&self, step: usize) -> String {
        let name = self.steps[step % self.steps.len()].name;
        if step < self.steps.len() { name.to_owned() } else { format!("{name} of another saga") }
    }

    fn meant(&self, step: usize) -> S::Command {
        (self.steps[step % self.steps.len()].command)(self.sagas[step / self.steps.len()])
    }

    fn command(&self, step: usize) -> Incoming<S::Command> {
        event(&self.name(step), self.meant(step))
    }

    /// Decides on a batch, and retries while another transaction was faster.
    async fn apply(&self, batch: &[Incoming<S::Command>]) -> Result<Vec<Outcome>, StoreError> {
        let work = self.db.work((self.service)());
        let mut tries = 0;
        loop {
            tries += 1;
            match work.stage(batch).await {
                Ok(staged) => return staged.commit().await,
                Err(error) if error.remedy() == Remedy::Again && tries < TRIES => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Restores the initial database and applies these steps, one by one.
    async fn after(&self, sequence: &[usize]) {
        let restored = restore(self.db.pool(), &self.given).await;
        restored.expect("the database becomes what it was");
        for step in sequence {
            let applied = self.apply(&[self.command(*step)]).await;
            applied.unwrap_or_else(|error| panic!("{}: {error}", self.names(sequence)));
        }
    }

    /// As [`after`](Self::after), returning a snapshot.
    async fn serial<'s>(&self, sequence: &[usize], known: &'s mut Serial) -> &'s Snapshot {
        if !known.contains_key(sequence) {
            self.after(sequence).await;
            known.insert(sequence.to_vec(), self.snapshot().await);
        }
        &known[sequence]
    }

    async fn counts_once(&self, sequence: &[usize], known: &mut Serial) {
        let Some((last, before)) = sequence.split_last() else {
            self.serial(&[], known).await;
            return;
        };
        self.after(before).await;
        let id = EventId::new();
        let again = || event_with_id(id, &self.name(*last), self.meant(*last));
        let applied = self.apply(&[again()]).await;
        applied.unwrap_or_else(|error| panic!("{}: {error}", self.names(sequence)));
        let once = self.snapshot().await;
        let duplicate = self.apply(&[again()]).await.expect("a duplicate is taken");
        assert_eq!(duplicate, [Outcome::Duplicate], "{}, once more", self.names(sequence));
        self.apply(&[self.command(*last)]).await.expect("a repetition is taken");
        let twice = self.snapshot().await;
        assert_eq!(twice, once, "{}, and its last step once more, by another event", self.names(sequence));
        known.insert(sequence.to_vec(), once);
    }

    async fn undoes(&self, known: &mut Serial) {
        let (undos, others): (Vec<usize>, Vec<usize>) =
            (0..self.steps.len()).partition(|step| self.steps[*step].undoes);
        let initial = self.serial(&[], known).await.clone();
        for undo in undos {
            let mut before: Vec<Vec<usize>> = vec![vec![]];
            before.extend(others.iter().map(|step| vec![*step]));
            before.extend(others.iter().flat_map(|one| others.iter().map(|other| vec![*one, *other])));
            for before in before {
                let undone = [before, vec![undo]].concat();
                let after = self.serial(&undone, known).await.clone();
                let what = self.names(&undone);
                assert_eq!(after.rows_of(&self.resources), initial.rows_of(&self.resources), "after {what}");
                for late in &others {
                    let sequence = [undone.clone(), vec![*late]].concat();
                    let later = self.serial(&sequence, known).await;
                    assert_eq!(
                        *later, after,
                        "after {what}, {} comes too late and does nothing",
                        self.steps[*late].name
                    );
                }
            }
        }
    }

    async fn batches(&self, sequence: &[usize], known: &mut Serial) {
        self.after(&[]).await;
        let batch: Vec<_> = sequence.iter().map(|step| self.command(*step)).collect();
        let applied = self.apply(&batch).await;
        applied.unwrap_or_else(|error| panic!("{} in one batch: {error}", self.names(sequence)));
        let batched = self.snapshot().await;
        let one_by_one = self.serial(sequence, known).await;
        assert_eq!(batched, *one_by_one, "{}: in one batch, and one by one", self.names(sequence));
    }

    async fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.db.pool()).await.expect("the tables can be read")
    }

    async fn sql(&self, text: &str) {
        let done = sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(self.db.pool()).await;
        done.unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}
