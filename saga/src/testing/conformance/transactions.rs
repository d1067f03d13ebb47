//! Attacks on transactions: failing statements and concurrency.

use super::{Conformance, Serial};
use crate::{service::Service, store::Remedy, testing::snapshot::written};

impl<S: Service> Conformance<S> {
    /// Fails each writing statement of a step once.
    pub(super) async fn is_whole(&self, prefix: &[usize], step: usize, known: &mut Serial) {
        self.after(prefix).await;
        let (before, work) = (self.snapshot().await, self.db.work((self.service)()));
        let what = [prefix, &[step]].concat();
        let mut failures = 0;
        for table in written(self.db.pool()).await.expect("the catalogue can be read") {
            for verb in ["insert", "update", "delete"] {
                self.sql(&format!("create trigger fails before {verb} on \"{table}\" execute function fails()")).await;
                // A step without such a statement is staged and rolled back here.
                failures += usize::from(work.stage(&[self.command(step)]).await.is_err());
                self.sql(&format!("drop trigger fails on \"{table}\"")).await;
                assert_eq!(self.snapshot().await, before, "{}: the {verb} of {table} has failed", self.names(&what));
            }
        }
        assert!(failures > 0, "{}: no statement writes anything, not even into the inbox", self.names(&what));
        self.apply(&[self.command(step)]).await.expect("nothing fails any more");
        let after_all = self.snapshot().await;
        let serial = self.serial(&what, known).await;
        assert_eq!(after_all, *serial, "{}: taken after it has failed", self.names(&what));
    }

    /// Decides on two steps in two concurrent transactions; the second reads before the first has committed.
    pub(super) async fn race(&self, prefix: &[usize], [first, second]: [usize; 2], known: &mut Serial) {
        self.after(prefix).await;
        let (work, other) = (self.db.work((self.service)()), self.db.work((self.service)()));
        let what = || {
            let names = [first, second].map(|step| self.name(step));
            format!("after {}: {} and {} at once", self.names(prefix), names[0], names[1])
        };
        let staged = work.stage(&[self.command(first)]).await;
        let staged = staged.unwrap_or_else(|error| panic!("{}: {error}", what()));
        let batch = [self.command(second)];
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
            self.serial(sequence, known).await;
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
}
