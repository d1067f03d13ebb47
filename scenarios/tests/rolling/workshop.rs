//! Two services of a workshop, in several versions: the cutter cuts a piece for a job, the fitter fits it, and the cutter ends
//! the job. The cutter's second version gives lengths in millimetres instead of centimetres, under the same name: a reader that
//! takes the one for the other keeps the job from ending.

use chrono::{DateTime, Utc};
use saga::{
    Facts, Program, Publisher, Rows, SagaId, Says, Service, StoreError, Table, config::Config, publisher, rows, says,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, migrate::Migrator};

pub(crate) const CLIENTS: Publisher = Publisher::of_requests("client", "job.requests", "JobRequested");
const CUTTER: Publisher = publisher!("cutter");
const FITTER: Publisher = publisher!("fitter");

static MIGRATIONS: Migrator = sqlx::migrate!("tests/rolling/migrations");

/// A request, and the facts of its saga.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) job_id: SagaId,
    pub(crate) millimetres: i64,
}

impl Facts for Job {
    fn saga_id(&self) -> SagaId {
        self.job_id
    }
}

mod first {
    use super::{CUTTER, FITTER, Job};

    saga::events! { CUTTER, job: Job,
        /// A piece is cut; its length is in whole centimetres.
        PieceCut { length: i64 }
        /// The job is over.
        JobDone {}
    }

    pub(super) mod fitter {
        use super::{FITTER, Job};

        saga::events! { FITTER, job: Job,
            /// A piece is fitted.
            PieceFitted { millimetres: i64 }
        }
    }
}

mod second {
    use super::{CUTTER, FITTER, Job, from_centimetres};

    saga::events! { CUTTER, job: Job,
        /// A piece is cut; its length is in millimetres.
        PieceCut version 2 upcast from_centimetres { length: i64 }
    }

    pub(super) mod fitter {
        use super::{FITTER, Job};

        saga::events! { FITTER, job: Job,
            /// A piece is fitted. An additional field needs no version: who does not know it does not look at it.
            PieceFitted {
                millimetres: i64,
                #[serde(default)]
                fitted_by: Option<String>,
            }
        }
    }
}

/// A mistake: another name without another version.
mod renamed {
    use super::{CUTTER, Job};

    saga::events! { CUTTER, job: Job,
        /// A piece is cut; its length is in whole centimetres.
        PieceCut { centimetres: i64 }
    }
}

fn from_centimetres(_version: u32, mut data: Value) -> Result<Value, String> {
    let centimetres = data["length"].as_i64().ok_or("no length in centimetres")?;
    data["length"] = (10 * centimetres).into();
    Ok(data)
}

rows! {
    /// A job at the cutter, with the number of times that it has ended.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Cut in "cuts" by (job_id: SagaId) {
        millimetres: i64,
        done: i32,
    }
}

rows! {
    /// A job at the fitter, with the version of the program that fitted the piece.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Fit in "fits" by (job_id: SagaId) {
        millimetres: i64,
        by_version: i32,
    }
}

/// What is asked of the cutter; a piece comes back with its length in millimetres.
#[derive(Debug)]
pub(crate) enum Ask {
    Cut,
    End { millimetres: i64 },
}

/// The versions 1 and 2; any other one makes the mistake.
struct Cutter<const VERSION: i32>;

impl<const VERSION: i32> Service for Cutter<VERSION> {
    type Command = (Job, Ask);
    type Rows = Rows<SagaId, Cut>;

    const PUBLISHER: Publisher = CUTTER;

    fn table() -> Table<Self::Command> {
        use first::{JobDone, PieceCut};
        let cut = match VERSION {
            1 => says![PieceCut],
            2 => {
                use second::PieceCut;
                says![PieceCut]
            }
            _ => {
                use renamed::PieceCut;
                says![PieceCut]
            }
        };
        let table = Table::of(CUTTER).on_request(CLIENTS, "cut", cut, |job: Job| (job, Ask::Cut));
        let end = |job, millimetres| (job, Ask::End { millimetres });
        if VERSION == 2 {
            table.on("end", says![JobDone], move |e: second::fitter::PieceFitted| end(e.job, e.millimetres))
        } else {
            table.on("end", says![JobDone], move |e: first::fitter::PieceFitted| end(e.job, e.millimetres))
        }
    }

    fn saga_of((job, _): &Self::Command) -> SagaId {
        job.job_id
    }

    async fn load(&self, db: &mut PgConnection, commands: &[&Self::Command]) -> Result<Self::Rows, StoreError> {
        Cut::load(db, commands.iter().map(|(job, _)| job.job_id)).await
    }

    fn decide(&self, cuts: &mut Self::Rows, (job, ask): &Self::Command, _now: DateTime<Utc>) -> Says {
        let (job, known) = (job.clone(), cuts.get(&job.job_id).cloned());
        match (ask, known) {
            (Ask::Cut, Some(_)) => Says::ignored("it is cut"),
            (Ask::Cut, None) => {
                cuts.put(job.job_id, Cut { millimetres: job.millimetres, done: 0 });
                let millimetres = job.millimetres;
                match VERSION {
                    1 => Says::event(first::PieceCut { job, length: millimetres / 10 }),
                    2 => Says::event(second::PieceCut { job, length: millimetres }),
                    _ => Says::event(renamed::PieceCut { job, centimetres: millimetres / 10 }),
                }
            }
            (Ask::End { millimetres }, Some(cut)) if *millimetres == cut.millimetres => {
                cuts.put(job.job_id, Cut { done: cut.done + 1, ..cut });
                Says::event(first::JobDone { job })
            }
            (Ask::End { millimetres }, cut) => {
                Says::impossible(format!("a piece of {millimetres} mm came back of {cut:?}"))
            }
        }
    }

    async fn save(&self, db: &mut PgConnection, cuts: &Self::Rows) -> Result<(), StoreError> {
        Cut::save(db, cuts).await
    }
}

struct Fitter<const VERSION: i32>;

impl<const VERSION: i32> Service for Fitter<VERSION> {
    type Command = (Job, i64);
    type Rows = Rows<SagaId, Fit>;

    const PUBLISHER: Publisher = FITTER;

    fn table() -> Table<Self::Command> {
        if VERSION == 2 {
            use second::fitter::PieceFitted;
            Table::of(FITTER).on("fit", says![PieceFitted], |e: second::PieceCut| (e.job, e.length))
        } else {
            use first::fitter::PieceFitted;
            Table::of(FITTER).on("fit", says![PieceFitted], |e: first::PieceCut| (e.job, 10 * e.length))
        }
    }

    fn saga_of((job, _): &Self::Command) -> SagaId {
        job.job_id
    }

    async fn load(&self, db: &mut PgConnection, commands: &[&Self::Command]) -> Result<Self::Rows, StoreError> {
        Fit::load(db, commands.iter().map(|(job, _)| job.job_id)).await
    }

    fn decide(&self, fits: &mut Self::Rows, (job, millimetres): &Self::Command, _now: DateTime<Utc>) -> Says {
        let (job, millimetres) = (job.clone(), *millimetres);
        if fits.get(&job.job_id).is_some() {
            return Says::ignored("it is fitted");
        }
        fits.put(job.job_id, Fit { millimetres, by_version: VERSION });
        if VERSION == 2 {
            let fitted_by = Some("the second".to_owned());
            Says::event(second::fitter::PieceFitted { job, millimetres, fitted_by })
        } else {
            Says::event(first::fitter::PieceFitted { job, millimetres })
        }
    }

    async fn save(&self, db: &mut PgConnection, fits: &Self::Rows) -> Result<(), StoreError> {
        Fit::save(db, fits).await
    }
}

/// Not a test: runs the program that its script names, if a test has started this binary for it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the tests beside it"]
async fn program() {
    let name = std::env::var("WORKSHOP_PROGRAM").expect("a script sets it");
    let config = Config::from_arguments([name.as_str()]).expect("arguments");
    let ended = match name.as_str() {
        "cutter-1" => run(Cutter::<1>, config).await,
        "cutter-2" => run(Cutter::<2>, config).await,
        "cutter-renamed" => run(Cutter::<0>, config).await,
        "fitter-1" => run(Fitter::<1>, config).await,
        "fitter-2" => run(Fitter::<2>, config).await,
        other => panic!("there is no {other}"),
    };
    ended.expect("stopped in order");
}

async fn run<S: Service>(service: S, config: Config) -> anyhow::Result<()> {
    Program::new(service, config, &MIGRATIONS)?.run().await
}
