//! What every service of a saga has to hold, whatever its business: asked of a real PostgreSQL, with a few sample steps.
//!
//! Messages repeat, overtake each other, and arrive for what never happened; replicas race; a transaction ends at any statement.
//! A service whose steps go through `saga`'s unit of work withstands that if its decisions and its SQL do. This asks them:
//!
//! | law | attack |
//! |---|---|
//! | a step counts once | each is repeated behind each sequence: under the same event id, and under another |
//! | two at once are as two in turn | each pair is decided in two transactions, of which the second waits for the first |
//! | a transaction is whole | each statement that writes fails once: nothing is left of the step, and repeated it counts |
//! | an undo undoes | before what it undoes, behind it, and behind its confirmation: the resources are what they were, and a late step does nothing |
//! | a batch is as one by one | each sequence is decided in one transaction, from memory, and in one each, from PostgreSQL |

use std::collections::HashMap;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    TestDatabase, event, event_with_id,
    sequences::sequences,
    snapshot::{Snapshot, keep, restore, written},
};
use crate::{
    EventId, SagaId,
    incoming::{Incoming, Outcome},
    service::Service,
    store::{Remedy, StoreError},
};

type Command<S> = Box<dyn Fn(SagaId) -> <S as Service>::Command>;

struct Step<S: Service> {
    name: &'static str,
    command: Command<S>,
    undoes: bool,
}

/// A service, and the steps of one saga that it is tried with.
///
/// ```ignore
/// Conformance::of(|| Inventory, database().await)
///     .step("reserve", |saga| Command::new(order(saga), Ask::Reserve))
///     .step("commit", |saga| Command::new(order(saga), Ask::Commit))
///     .undo("take back", |saga| Command::new(order(saga), Ask::TakeBack(Reason::TimedOut)))
///     .resource("stock")
///     .holds()
///     .await;
/// ```
pub struct Conformance<S: Service> {
    service: Box<dyn Fn() -> S>,
    db: TestDatabase,
    /// The rows of the database as it was given.
    given: Vec<String>,
    steps: Vec<Step<S>>,
    resources: Vec<&'static str>,
}

/// Databases as they are after sequences of steps, each in a transaction of its own.
type Serial = HashMap<Vec<usize>, Snapshot>;

impl<S: Service> Conformance<S> {
    /// A service over a database with its tables, and with the rows that its steps need.
    pub fn of(service: impl Fn() -> S + 'static, db: TestDatabase) -> Self {
        let (steps, given, resources) = (Vec::new(), Vec::new(), Vec::new());
        Conformance { service: Box::new(service), db, given, steps, resources }
    }

    /// A step of the saga; the first is the one that all others come after.
    #[must_use]
    pub fn step(self, name: &'static str, command: impl Fn(SagaId) -> S::Command + 'static) -> Self {
        self.with(Step { name, command: Box::new(command), undoes: false })
    }

    /// A step that undoes the others, however far they have come.
    #[must_use]
    pub fn undo(self, name: &'static str, command: impl Fn(SagaId) -> S::Command + 'static) -> Self {
        self.with(Step { name, command: Box::new(command), undoes: true })
    }

    /// A table of what sagas share: an undo has to leave it as it was.
    #[must_use]
    pub fn resource(mut self, table: &'static str) -> Self {
        self.resources.push(table);
        self
    }

    fn with(mut self, step: Step<S>) -> Self {
        self.steps.push(step);
        self
    }

    /// Tries everything.
    ///
    /// # Panics
    /// At the first law that does not hold, with the steps that show it; without a real PostgreSQL; and if the samples show
    /// nothing, since no step says or changes anything.
    pub async fn holds(mut self) {
        self.given = keep(self.db.pool()).await.expect("the rows can be kept");
        self.sql(
            "create function fails() returns trigger language plpgsql as 'begin raise exception ''it fails''; end'",
        )
        .await;
        let saga = SagaId(Uuid::now_v7());
        let mut serial = Serial::new();
        for sequence in sequences(self.steps.len(), 2) {
            self.counts_once(saga, &sequence, &mut serial).await;
        }
        let changed = serial.values().filter(|after| **after != serial[&Vec::new()]).count();
        assert!(changed > 0, "the samples show nothing: no step of {} changes or says anything", S::NAME);
        self.undoes(saga, &mut serial).await;
        for sequence in sequences(self.steps.len(), 2).into_iter().chain([(0..self.steps.len()).collect()]) {
            self.batches(saga, &sequence, &mut serial).await;
        }
        for prefix in [vec![], vec![0]] {
            for first in 0..self.steps.len() {
                self.is_whole(saga, &prefix, first, &mut serial).await;
                for second in 0..self.steps.len() {
                    self.race(saga, &prefix, [first, second], &mut serial).await;
                }
            }
        }
    }

    fn names(&self, sequence: &[usize]) -> String {
        let names: Vec<&str> = sequence.iter().map(|step| self.steps[*step].name).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", then ") }
    }

    fn command(&self, saga: SagaId, step: usize) -> Incoming<S::Command> {
        event(self.steps[step].name, (self.steps[step].command)(saga))
    }

    /// Decides upon a batch, again as often as another transaction was faster.
    async fn apply(&self, batch: &[Incoming<S::Command>]) -> Result<Vec<Outcome>, StoreError> {
        let work = self.db.work((self.service)());
        loop {
            match work.stage(batch).await {
                Ok(staged) => return staged.commit().await,
                Err(error) if error.remedy() == Remedy::Again => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The database as it was given, and then these steps, one by one.
    async fn after(&self, saga: SagaId, sequence: &[usize]) {
        let restored = restore(self.db.pool(), &self.given).await;
        restored.expect("the database becomes what it was");
        for step in sequence {
            let applied = self.apply(&[self.command(saga, *step)]).await;
            applied.unwrap_or_else(|error| panic!("{}: {error}", self.names(sequence)));
        }
    }

    /// The same, as a snapshot.
    async fn serial<'s>(&self, saga: SagaId, sequence: &[usize], known: &'s mut Serial) -> &'s Snapshot {
        if !known.contains_key(sequence) {
            self.after(saga, sequence).await;
            known.insert(sequence.to_vec(), self.snapshot().await);
        }
        &known[sequence]
    }

    async fn counts_once(&self, saga: SagaId, sequence: &[usize], known: &mut Serial) {
        let Some((last, before)) = sequence.split_last() else {
            self.serial(saga, &[], known).await;
            return;
        };
        self.after(saga, before).await;
        let id = EventId::new();
        let again = || event_with_id(id, self.steps[*last].name, (self.steps[*last].command)(saga));
        let applied = self.apply(&[again()]).await;
        applied.unwrap_or_else(|error| panic!("{}: {error}", self.names(sequence)));
        let once = self.snapshot().await;
        let duplicate = self.apply(&[again()]).await.expect("a duplicate is taken");
        assert_eq!(duplicate, [Outcome::Duplicate], "{}, once more", self.names(sequence));
        self.apply(&[self.command(saga, *last)]).await.expect("a repetition is taken");
        let twice = self.snapshot().await;
        assert_eq!(twice, once, "{}, and its last step once more, by another event", self.names(sequence));
        known.insert(sequence.to_vec(), once);
    }

    async fn undoes(&self, saga: SagaId, known: &mut Serial) {
        let (undos, others): (Vec<usize>, Vec<usize>) =
            (0..self.steps.len()).partition(|step| self.steps[*step].undoes);
        let initial = self.serial(saga, &[], known).await.clone();
        for undo in undos {
            let mut before: Vec<Vec<usize>> = vec![vec![]];
            before.extend(others.iter().map(|step| vec![*step]));
            before.extend(others.iter().flat_map(|one| others.iter().map(|other| vec![*one, *other])));
            for before in before {
                let undone = [before, vec![undo]].concat();
                let after = self.serial(saga, &undone, known).await.clone();
                let what = self.names(&undone);
                assert_eq!(after.rows_of(&self.resources), initial.rows_of(&self.resources), "after {what}");
                for late in &others {
                    let sequence = [undone.clone(), vec![*late]].concat();
                    let later = self.serial(saga, &sequence, known).await;
                    assert_eq!(
                        *later, after,
                        "after {what}, {} comes too late and does nothing",
                        self.steps[*late].name
                    );
                }
            }
        }
    }

    async fn batches(&self, saga: SagaId, sequence: &[usize], known: &mut Serial) {
        self.after(saga, &[]).await;
        let batch: Vec<_> = sequence.iter().map(|step| self.command(saga, *step)).collect();
        let applied = self.apply(&batch).await;
        applied.unwrap_or_else(|error| panic!("{} in one batch: {error}", self.names(sequence)));
        let batched = self.snapshot().await;
        let one_by_one = self.serial(saga, sequence, known).await;
        assert_eq!(batched, *one_by_one, "{}: in one batch, and one by one", self.names(sequence));
    }

    /// Has each statement of a step that writes fail once.
    async fn is_whole(&self, saga: SagaId, prefix: &[usize], step: usize, known: &mut Serial) {
        self.after(saga, prefix).await;
        let (before, work) = (self.snapshot().await, self.db.work((self.service)()));
        let what = [prefix, &[step]].concat();
        let mut failures = 0;
        for table in written(self.db.pool()).await.expect("the catalogue can be read") {
            for verb in ["insert", "update", "delete"] {
                self.sql(&format!("create trigger fails before {verb} on \"{table}\" execute function fails()")).await;
                // Without such a statement it is staged, and taken back here.
                failures += usize::from(work.stage(&[self.command(saga, step)]).await.is_err());
                self.sql(&format!("drop trigger fails on \"{table}\"")).await;
                assert_eq!(self.snapshot().await, before, "{}: the {verb} of {table} has failed", self.names(&what));
            }
        }
        assert!(failures > 0, "{}: no statement writes anything, not even into the inbox", self.names(&what));
        self.apply(&[self.command(saga, step)]).await.expect("nothing fails any more");
        let after_all = self.snapshot().await;
        let serial = self.serial(saga, &what, known).await;
        assert_eq!(after_all, *serial, "{}: taken after it has failed", self.names(&what));
    }

    /// Decides upon two steps in two transactions at once; the second looks before the first has committed.
    async fn race(&self, saga: SagaId, prefix: &[usize], [first, second]: [usize; 2], known: &mut Serial) {
        self.after(saga, prefix).await;
        let (work, other) = (self.db.work((self.service)()), self.db.work((self.service)()));
        let what = || {
            let names = [first, second].map(|step| self.steps[step].name);
            format!("after {}: {} and {} at once", self.names(prefix), names[0], names[1])
        };
        let staged = work.stage(&[self.command(saga, first)]).await;
        let staged = staged.unwrap_or_else(|error| panic!("{}: {error}", what()));
        let batch = [self.command(saga, second)];
        let mut later = std::pin::pin!(other.stage(&batch));
        let early = tokio::select! {
            early = later.as_mut() => Some(early),
            () = self.db.until_blocked() => None,
        };
        staged.commit().await.unwrap_or_else(|error| panic!("{}: {error}", what()));
        let staged = match early {
            Some(staged) => staged,
            None => later.await,
        };
        match staged {
            Ok(staged) => drop(staged.commit().await.unwrap_or_else(|error| panic!("{}: {error}", what()))),
            Err(error) if error.remedy() == Remedy::Again => {
                self.apply(&batch).await.unwrap_or_else(|error| panic!("{}: {error}", what()));
            }
            Err(error) => panic!("{}: {error}", what()),
        }
        let raced = self.snapshot().await;
        let in_turn = [[first, second], [second, first]].map(|pair| [prefix, &pair].concat());
        for sequence in &in_turn {
            self.serial(saga, sequence, known).await;
        }
        let is_serial = in_turn.iter().any(|sequence| known[sequence] == raced);
        assert!(
            is_serial,
            "{}: {raced:#?}\nis neither of\n{:#?}\n{:#?}",
            what(),
            known[&in_turn[0]],
            known[&in_turn[1]]
        );
    }

    async fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.db.pool()).await.expect("the tables can be read")
    }

    async fn sql(&self, text: &str) {
        let done = sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(self.db.pool()).await;
        done.unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}
