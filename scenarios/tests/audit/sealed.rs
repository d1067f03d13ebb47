//! What was verified is not examined again, and yet every later change to it is found.

use std::{sync::Arc, time::Duration};

use events::OrderId;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use scenarios::{
    audit::{self, Report, Seal},
    cast::{ALICE, BITCOIN},
    play::Wish,
    requests::Client,
    stack::{Database, Environment, Program, until},
};
use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, PgPool};

use crate::running::{BOUND, forge, in_a_system, pid};

#[tokio::test]
async fn what_is_done_to_a_sealed_order_is_found() {
    in_a_system(async |environment, stack| {
        let mut auditor = Auditor { environment, seal: None };
        let mut orders = Vec::new();
        for _ in 0..5 {
            orders.push(auditor.buy().await?);
        }
        auditor.sees("", "").await?;
        assert_eq!(auditor.unchanged().await?, "5 orders were verified, 0 were looked at now");
        let next = auditor.buy().await?;
        assert_eq!(auditor.unchanged().await?, "5 orders were verified, 1 were looked at now");
        auditor.rows_are_watched(next).await?;
        auditor.mails_are_watched(orders[0]).await?;
        auditor.seals_are_kept_in_files().await?;
        auditor.databases_are_recognised().await?;
        auditor.what_is_on_its_way_is_judged_when_it_has_arrived(pid(stack, Program::ORDER)).await?;
        auditor.kafka_is_watched(orders[1]).await
    })
    .await;
}

struct Auditor<'a> {
    environment: &'a Environment,
    seal: Option<Arc<Seal>>,
}

impl Auditor<'_> {
    async fn buy(&self) -> anyhow::Result<OrderId> {
        let wish = Wish::of(ALICE, &[(BITCOIN, 1)]);
        Client::new(&self.environment.brokers)?.request(wish.order_id(), wish.data()).await?;
        let orders = self.pool(Database::ORDERS).await?;
        let ended = async || {
            let query = "select id from orders where id = $1 and status = 'COMPLETED'";
            sqlx::query(query).bind(wish.order_id().0).fetch_optional(&orders).await.ok().flatten()
        };
        until("the order is complete", BOUND, ended).await?;
        Ok(wish.order_id())
    }

    async fn pool(&self, database: Database) -> anyhow::Result<PgPool> {
        Ok(PgPool::connect(self.environment.database(database)?.expose_secret()).await?)
    }

    async fn run(&self, database: Database, sql: &str) -> anyhow::Result<()> {
        let done = sqlx::query(AssertSqlSafe(sql)).execute(&self.pool(database).await?).await?;
        assert!(done.rows_affected() > 0, "{sql} does nothing");
        Ok(())
    }

    async fn look(&mut self) -> anyhow::Result<Report> {
        let (report, seal) = audit::run_sealing(self.environment, BOUND, self.seal.clone()).await?;
        self.seal = seal.map(Arc::new);
        Ok(report)
    }

    /// The look's report on what was verified before.
    async fn unchanged(&mut self) -> anyhow::Result<String> {
        let report = self.look().await?;
        assert!(report.holds(), "{report:#?}");
        let before = report.invariants.into_iter().find(|one| one.what == "what was verified before is as it was");
        Ok(before.map(|before| before.looked_at).unwrap_or_default())
    }

    /// Looks and expects this finding, or none if it is empty. A full audit must find something in the same cases.
    async fn sees(&mut self, done: &str, wanted: &str) -> anyhow::Result<()> {
        let report = self.look().await?;
        let said: Vec<String> =
            report.invariants.into_iter().flat_map(|one| one.findings).map(|finding| finding.what).collect();
        let is_as_wanted =
            if wanted.is_empty() { said.is_empty() } else { said.iter().any(|what| what.contains(wanted)) };
        assert!(is_as_wanted, "after {done}: {said:?} instead of {wanted:?}");
        if !wanted.is_empty() {
            let whole = audit::run(self.environment, BOUND).await?;
            assert!(!whole.holds(), "after {done}: {whole:#?}");
        }
        Ok(())
    }

    async fn rows_are_watched(&mut self, order: OrderId) -> anyhow::Result<()> {
        for (database, harm, cure, wanted) in [
            (
                Database::ACCOUNTS,
                format!("update balance_reservations set amount = amount + 1 where order_id = '{order}'"),
                format!("update balance_reservations set amount = amount - 1 where order_id = '{order}'"),
                "instead of",
            ),
            (
                Database::INVENTORY,
                format!(
                    "create table kept as select * from stock_reservations where order_id = '{order}'; \
                         delete from stock_reservations where order_id = '{order}'"
                ),
                "insert into stock_reservations select * from kept".to_owned(),
                "its stock is absent",
            ),
            (
                Database::PAYMENTS,
                format!(
                    "create table kept as select * from outbox where aggregateid = '{order}' and type = 'PaymentCaptured'; \
                         delete from outbox where aggregateid = '{order}' and type = 'PaymentCaptured'"
                ),
                "insert into outbox select * from kept".to_owned(),
                "payment has never said it: forged",
            ),
        ] {
            for sql in harm.split("; ") {
                self.run(database, sql).await?;
            }
            self.sees(&harm, wanted).await?;
            self.run(database, &cure).await?;
            self.sees(&cure, "").await?;
        }
        assert_eq!(self.unchanged().await?, "6 orders were verified, 0 were looked at now");
        Ok(())
    }

    async fn mails_are_watched(&mut self, order: OrderId) -> anyhow::Result<()> {
        let directory = self.environment.mail_dir().unwrap().to_owned();
        let files = std::fs::read_dir(&directory)?.filter_map(|file| Some(file.ok()?.path()));
        let is_its = |path: &std::path::PathBuf| path.to_string_lossy().contains(&order.to_string());
        let mail = files.into_iter().find(is_its).unwrap();
        let text = std::fs::read(&mail)?;
        std::fs::remove_file(&mail)?;
        self.sees("a mail's end", "the mail system does not have it").await?;
        std::fs::write(&mail, [&text[..], b"P.S. Pay once more."].concat())?;
        self.sees("a postscript", "has another mail than was written").await?;
        std::fs::write(&mail, &text)?;
        self.sees("the mail as it was", "").await?;
        let again = mail.with_file_name(format!("{order}-again.eml"));
        std::fs::write(&again, &text)?;
        self.sees("a second mail", "has a mail that nobody has written").await?;
        std::fs::remove_file(&again)?;
        self.sees("its end", "").await
    }

    async fn seals_are_kept_in_files(&mut self) -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("seal");
        assert!(Seal::load(&file)?.is_none());
        self.seal.as_ref().unwrap().save(&file)?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file)?.permissions());
        assert_eq!(mode & 0o77, 0, "it is its owner's alone");
        self.seal = Seal::load(&file)?.map(Arc::new);
        assert_eq!(self.unchanged().await?, "6 orders were verified, 0 were looked at now");
        let bytes = std::fs::read(&file)?;
        for not_whole in [&bytes[1..], &bytes[..bytes.len() - 1]] {
            std::fs::write(&file, not_whole)?;
            let said = Seal::load(&file).unwrap_err().to_string();
            assert!(said.ends_with("is no seal: name another file, or remove it"), "{said}");
        }
        std::fs::write(&file, b"purchase-saga seal\nof somebody else")?;
        assert!(Seal::load(&file)?.is_none(), "another program's");
        Ok(())
    }

    /// A database that has lost a row of operators' actions is not the sealed one.
    async fn databases_are_recognised(&mut self) -> anyhow::Result<()> {
        let id = uuid::Uuid::new_v4();
        self.run(
            Database::ORDERS,
            &format!(
                "insert into parked_actions (by_whom, action, work_id, order_id, note)
                 values ('somebody', 'resolve', '{id}', '{id}', 'settled by hand')"
            ),
        )
        .await?;
        assert_eq!(self.unchanged().await?, "6 orders were verified, 0 were looked at now");
        self.run(Database::ORDERS, &format!("delete from parked_actions where work_id = '{id}'")).await?;
        let said = self.unchanged().await?;
        assert!(said.starts_with("everything was gone through: rows of parked_actions in orders"), "{said}");
        assert_eq!(self.unchanged().await?, "6 orders were verified, 0 were looked at now");
        Ok(())
    }

    /// A request is seen before its service has read it. The look at which its order has ended has to know it.
    async fn what_is_on_its_way_is_judged_when_it_has_arrived(&mut self, service: Pid) -> anyhow::Result<()> {
        kill(service, Signal::SIGSTOP)?;
        let wish = Wish::of(ALICE, &[(BITCOIN, 1)]);
        let asked = Client::new(&self.environment.brokers)?.request(wish.order_id(), wish.data()).await;
        let on_its_way = self.left_for_later().await;
        kill(service, Signal::SIGCONT)?;
        asked?;
        assert_eq!(on_its_way?, "1 orders are on their way and left for later");
        let begun = std::time::Instant::now();
        while self.left_for_later().await? != "0 orders are on their way and left for later" {
            assert!(begun.elapsed() < BOUND + BOUND, "the order does not come to rest");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(self.unchanged().await?, "7 orders were verified, 0 were looked at now");
        Ok(())
    }

    /// What a look at a running system defers. What it judges is correct.
    async fn left_for_later(&mut self) -> anyhow::Result<String> {
        let (report, seal) = audit::look(self.environment, self.seal.clone()).await?;
        self.seal = seal.map(Arc::new);
        assert!(report.holds(), "{report:#?}");
        Ok(report.invariants.last().unwrap().looked_at.clone())
    }

    /// A later event about a sealed order is found; it stays on Kafka, and so does the finding.
    async fn kafka_is_watched(&mut self, order: OrderId) -> anyhow::Result<()> {
        forge(self.environment, "OrderCancelled", order).await?;
        for _ in 0..2 {
            self.sees("a forged event", "order has never said it: forged").await?;
            self.sees("a forged event", "OrderCompleted and OrderCancelled are both on Kafka").await?;
        }
        Ok(())
    }
}
