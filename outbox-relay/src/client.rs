//! The Kafka client with its polling thread, and the fence.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use outbox::RealName;
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer, PurgeConfig},
};

use crate::in_flight::{Acknowledgements, InFlight, Refusal};

/// Duration of a poll while something is in flight. The client's poll uses all of its time whatever arrives, and spins for the
/// last fraction of a millisecond, so it is called rarely and for long.
const POLL: Duration = Duration::from_millis(100);
/// Interval of polls while nothing is in flight, for the client's other events.
const POLL_WHEN_QUIET: Duration = Duration::from_secs(10);

/// A producer whose acknowledgements arrive in an [`InFlight`].
pub(crate) struct Client {
    shared: Arc<Shared>,
    poller: Option<JoinHandle<()>>,
}

struct Shared {
    producer: BaseProducer<Acknowledgements>,
    in_flight: Arc<InFlight>,
    fence: Mutex<Fence>,
    stop: AtomicBool,
}

/// The time from which nothing may be sent. The polling thread enforces it, so it falls whatever the relay is waiting for.
struct Fence {
    at: Instant,
    fallen: bool,
}

/// Why the client has not taken a record.
#[derive(Debug)]
pub(crate) enum Rejection {
    /// Its queue is full.
    Full,
    /// The fence has fallen.
    Fenced,
    Error(KafkaError),
}

impl Client {
    pub(crate) fn new(config: &ClientConfig, in_flight: Arc<InFlight>, fence_at: Instant) -> Result<Self, KafkaError> {
        let shared = Arc::new(Shared {
            producer: config.create_with_context(Acknowledgements(Arc::clone(&in_flight)))?,
            in_flight,
            fence: Mutex::new(Fence { at: fence_at, fallen: false }),
            stop: AtomicBool::new(false),
        });
        let poller = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.poll()
        });
        Ok(Client { shared, poller: Some(poller) })
    }

    /// Hands a record over; returns at once. Its acknowledgement arrives after the next [`listen`](Self::listen).
    pub(crate) fn send(&self, record: BaseRecord<'_, str, str, usize>) -> Result<(), Rejection> {
        // Held while the record goes in: once the queue has been emptied, nothing may follow what was in it.
        let fence = self.shared.fence();
        if fence.fallen || fence.at <= Instant::now() {
            return Err(Rejection::Fenced);
        }
        self.shared.producer.send(record).map_err(|(error, _)| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => Rejection::Full,
            _ => Rejection::Error(error),
        })
    }

    /// Moves the fence, since the lease has been renewed. A fence that has fallen stays down.
    pub(crate) fn fence_at(&self, at: Instant) {
        self.shared.fence().at = at;
    }

    /// Wakes the polling thread, since something is in flight.
    pub(crate) fn listen(&self) {
        if let Some(poller) = &self.poller {
            poller.thread().unpark();
        }
    }

    /// Asks the broker how many partitions the topic has.
    pub(crate) async fn partitions(&self, topic: &RealName, within: Duration) -> Result<usize, String> {
        let (shared, topic) = (Arc::clone(&self.shared), topic.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let asked = shared.producer.client().fetch_metadata(Some(topic.real()), within);
            let metadata = asked.map_err(|error| error.to_string())?;
            let topic = metadata.topics().first().ok_or("the broker does not know the topic")?;
            match (topic.error(), topic.partitions().len()) {
                (Some(error), _) => Err(RDKafkaErrorCode::from(error).to_string()),
                (None, 0) => Err("the topic has no partitions".to_owned()),
                (None, count) => Ok(count),
            }
        });
        asked.await.unwrap_or_else(|panic| Err(panic.to_string()))
    }
}

impl Shared {
    fn poll(&self) {
        while !self.stop.load(Ordering::Acquire) {
            if self.in_flight.is_all_empty() {
                thread::park_timeout(POLL_WHEN_QUIET);
            }
            self.producer.poll(POLL);
            self.look_after_fence();
        }
    }

    /// Takes back what has not been sent once the fence is due. Later records are purged first, so no record is passed.
    fn look_after_fence(&self) {
        let mut fence = self.fence();
        if fence.fallen || Instant::now() < fence.at || self.in_flight.is_all_empty() {
            return;
        }
        fence.fallen = true;
        self.producer.purge(PurgeConfig::default().queue().inflight());
        self.in_flight.refuse(Refusal {
            event_id: None,
            error: "the lease was not renewed in time; the records that were not sent have been taken back".to_owned(),
        });
    }

    fn fence(&self) -> MutexGuard<'_, Fence> {
        self.fence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the thread; the producer then purges what it still holds.
impl Drop for Client {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.listen();
        if let Some(poller) = self.poller.take() {
            // A panic of the thread has been reported by then.
            let _ = poller.join();
        }
    }
}
