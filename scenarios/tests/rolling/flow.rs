//! Requests for jobs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use events::OrderId;
use futures::future::try_join_all;
use saga::{
    SagaId,
    shutdown::{Shutdown, Stop},
};
use scenarios::{requests::Client, stack::Environment};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::workshop::{CLIENTS, Job};

/// Number of sagas that begin at once before each step of the way back.
pub(crate) const BURST: usize = 1_000;
/// Jobs requested at once, every [`TICK`].
const AT_ONCE: usize = 40;
const TICK: Duration = Duration::from_millis(250);

/// Requests jobs steadily until it is told to stop.
pub(crate) struct Flow {
    stop: Stop,
    client: Client,
    requested: Arc<AtomicUsize>,
    requesting: JoinHandle<anyhow::Result<()>>,
}

impl Flow {
    pub(crate) fn begin(environment: &Environment) -> anyhow::Result<Self> {
        let client = Client::new(&environment.brokers)?;
        let (stop, shutdown) = Shutdown::by_hand();
        let requested = Arc::new(AtomicUsize::new(0));
        let jobs = requested.clone();
        let requesting = tokio::spawn(async move {
            let mut tick = tokio::time::interval(TICK);
            while !shutdown.is_requested() {
                tick.tick().await;
                request(&client, AT_ONCE).await?;
                jobs.fetch_add(AT_ONCE, Ordering::Relaxed);
            }
            Ok(())
        });
        let client = Client::new(&environment.brokers)?;
        Ok(Flow { stop, client, requested, requesting })
    }

    /// Requests many jobs at once, and returns their number.
    pub(crate) async fn burst(&self) -> anyhow::Result<usize> {
        request(&self.client, BURST).await?;
        self.requested.fetch_add(BURST, Ordering::Relaxed);
        Ok(BURST)
    }

    pub(crate) fn requested(&self) -> usize {
        self.requested.load(Ordering::Relaxed)
    }

    /// Number of jobs requested in all.
    pub(crate) async fn end(self) -> anyhow::Result<usize> {
        self.stop.now();
        self.requesting.await??;
        Ok(self.requested.load(Ordering::Relaxed))
    }
}

/// Requests so many jobs at once.
pub(crate) async fn request(client: &Client, count: usize) -> anyhow::Result<()> {
    let one = async |place: usize| {
        let job = Job { job_id: SagaId(Uuid::now_v7()), millimetres: 10 * i64::try_from(place + 1)? };
        let data = serde_json::to_value(&job)?;
        client.event(CLIENTS.topic(), "/clients/anna", "JobRequested", OrderId(job.job_id.0), &data).await
    };
    try_join_all((0..count).map(one)).await.map(drop)
}
