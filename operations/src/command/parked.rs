//! `scenarios parked`: work that waits for a person, across all services.

#![expect(clippy::print_stdout, reason = "what is parked is the command's output")]

use std::process::ExitCode;

use anyhow::Context;
use audit_log::Ended;
use clap::{Args, Subcommand};
use saga::outbox::kafka::Cluster;
use saga::parked::desk::{self, Content, Details, Done, Signature, Wish, Work};
use uuid::Uuid;

use crate::{Database, audited::Audited, by_hand, command::running, databases::Databases, exhibit, operator::Operator};

/// Shows and settles work that waits for a person: calls that used up their retries, events that could not be processed.
#[derive(Debug, Args)]
pub struct Parked {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists all parked work, and the events that wait behind it.
    List,
    /// Shows one call or event in full, and the actions taken on it.
    Show {
        /// Id of the event or the call.
        id: Uuid,
    },
    /// Hands it back to its service to try again, followed by the events that wait behind it.
    Retry(Act),
    /// Records how a call was settled by hand with the other side; its service continues as after that answer.
    Answer(Answer),
    /// Settles an event by hand: it is not tried again, nothing is published on its behalf, and the events behind it go on.
    /// Refused while its order waits for what follows from the event.
    Resolve(Act),
}

#[derive(Debug, Args)]
struct Answer {
    #[command(flatten)]
    act: Act,
    /// The outcome: authorized, captured, refused, voided or refunded for a payment, as in the provider's books; sent for a
    /// mail.
    #[arg(long = "as", value_name = "ANSWER")]
    word: String,
}

#[derive(Debug, Args)]
struct Act {
    /// Ids of the events or the calls.
    #[arg(required = true)]
    ids: Vec<Uuid>,
    /// Reason for the action, for later readers.
    #[arg(long, default_value = "")]
    note: String,
    /// Name of the person who acts, if no certificate says it. Recorded as unverified. Defaults to USER.
    #[arg(long)]
    by: Option<String>,
}

impl Parked {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let environment = running()?;
        let databases = Databases::of(&environment)?;
        let cluster = &environment.brokers;
        match self.what {
            What::List => list(&databases).await,
            What::Show { id } => show(&databases, id).await,
            What::Retry(act) => act.carry_out(&databases, cluster, Wish::Retry).await,
            What::Answer(Answer { act, word }) => act.carry_out(&databases, cluster, Wish::Answer(&word)).await,
            What::Resolve(act) => {
                anyhow::ensure!(!act.note.trim().is_empty(), "--note is missing: say how the event was settled");
                act.carry_out(&databases, cluster, Wish::Resolve).await
            }
        }
    }
}

async fn list(databases: &Databases) -> anyhow::Result<ExitCode> {
    let mut count = 0;
    for database in databases.all() {
        let works = desk::list(databases.of_service(database)).await.with_context(|| format!("reading {database}"))?;
        for work in &works {
            println!("{}", line(database, work));
        }
        count += works.len();
    }
    println!("{count} parked");
    Ok(ExitCode::SUCCESS)
}

fn line(database: Database, work: &Work) -> String {
    let since = work.since.format("%F %T");
    let Work { id, kind, saga_id, what, status, tries, .. } = work;
    let error = work.error.as_deref().unwrap_or("behind another event of its order");
    format!(
        "{id}  {database:<13} {kind:<5} {status:<7} {what} of order {saga_id}, {tries} tries, since {since}: {error}"
    )
}

async fn show(databases: &Databases, id: Uuid) -> anyhow::Result<ExitCode> {
    let Some((database, details)) = find(databases, id).await? else {
        println!("{id} is not parked anywhere");
        return Ok(ExitCode::FAILURE);
    };
    let Details { work, content, actions } = details;
    println!("{}", line(database, &work));
    match content {
        Content::Event(record) => exhibit::lines(&record).iter().for_each(|line| println!("  {line}")),
        Content::Call { request, idempotency_key } => {
            println!("  idempotency key {idempotency_key}");
            println!("  request");
            format!("{request:#}").lines().for_each(|line| println!("    {line}"));
        }
    }
    for action in actions {
        println!("  {}  {} by {}: {}", action.at.format("%F %T"), action.action, action.by_whom, action.note);
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(databases: &Databases, id: Uuid) -> anyhow::Result<Option<(Database, Details)>> {
    for database in databases.all() {
        let found = desk::find(databases.of_service(database), id).await;
        if let Some(details) = found.with_context(|| format!("reading {database}"))? {
            return Ok(Some((database, details)));
        }
    }
    Ok(None)
}

impl Act {
    async fn carry_out(&self, databases: &Databases, cluster: &Cluster, wish: Wish<'_>) -> anyhow::Result<ExitCode> {
        let mut all = true;
        let operator = Operator::of_process(self.by.as_deref())?;
        let by = operator.signature();
        let audited = Audited::of_the_process(cluster, operator)?;
        for id in &self.ids {
            let (done, said) = self.recorded(&audited, databases, *id, wish, &by).await?;
            println!("{id} {said}");
            all &= done;
        }
        Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Records what [`one`](Self::one) does.
    async fn recorded(
        &self,
        audited: &Audited,
        databases: &Databases,
        id: Uuid,
        wish: Wish<'_>,
        by: &str,
    ) -> anyhow::Result<(bool, String)> {
        let (action, details) = match wish {
            Wish::Retry => ("parked.retry", serde_json::json!({})),
            Wish::Resolve => ("parked.resolve", serde_json::json!({})),
            Wish::Answer(word) => ("parked.answer", serde_json::json!({ "answer": word })),
        };
        let act = audited.act(action, "parked", id).because(&self.note).with(details);
        let ended = |(done, said): &(bool, String)| if *done { Ended::done(said) } else { Ended::failed(said) };
        audited.carry_out(&act, self.one(databases, id, wish, by), ended).await
    }

    /// Tells whether it is done, or need not be done, and what became of the work.
    async fn one(&self, databases: &Databases, id: Uuid, wish: Wish<'_>, by: &str) -> anyhow::Result<(bool, String)> {
        let Some((database, details)) = find(databases, id).await? else {
            return Ok((false, "is not parked anywhere".to_owned()));
        };
        let objection = match wish {
            Wish::Retry => None,
            Wish::Resolve => by_hand::resolve_objection(databases, database, &details).await?,
            Wish::Answer(word) => by_hand::answer_objection(database, &details, word),
        };
        if let Some(objection) = objection {
            return Ok((false, objection));
        }
        let signature = Signature { by, note: &self.note };
        Ok(match (desk::act(databases.of_operator(database), id, wish, signature).await?, wish) {
            (Done::Yes(_), Wish::Retry) => (true, "is tried again".to_owned()),
            (Done::Yes(_), Wish::Resolve) => (true, "is settled".to_owned()),
            (Done::Yes(_), Wish::Answer(word)) => (true, format!("is answered: {word}")),
            (Done::NotNow(Work { status, .. }), _) => (true, format!("is {status}: nothing to do")),
            (Done::WrongKind(Work { kind, .. }), _) => {
                (false, format!("is a parked {kind}: this cannot be done to it"))
            }
            (Done::Unknown, _) => (false, "is not parked any more".to_owned()),
        })
    }
}
