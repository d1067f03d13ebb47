//! The Kafka client with the thread that hears from the broker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    error::KafkaError,
    producer::{BaseProducer, BaseRecord},
};

use crate::in_flight::{Acknowledgements, InFlight};

/// The client's poll waits out its time whatever comes, the last fraction of a millisecond of it spinning. So it is called
/// only while something is in flight, and for long.
const POLL: Duration = Duration::from_millis(100);
/// And otherwise now and then, for what else the client has to say.
const POLL_WHEN_QUIET: Duration = Duration::from_secs(10);

/// A producer whose acknowledgements arrive in an [`InFlight`].
pub(crate) struct Client {
    producer: Arc<BaseProducer<Acknowledgements>>,
    stop: Arc<AtomicBool>,
    poller: Option<JoinHandle<()>>,
}

impl Client {
    pub(crate) fn new(config: &ClientConfig, in_flight: Arc<InFlight>) -> Result<Self, KafkaError> {
        let producer: BaseProducer<_> = config.create_with_context(Acknowledgements(Arc::clone(&in_flight)))?;
        let (producer, stop) = (Arc::new(producer), Arc::new(AtomicBool::new(false)));
        let poller = thread::spawn({
            let (producer, stop) = (Arc::clone(&producer), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Acquire) {
                    if in_flight.is_all_empty() {
                        thread::park_timeout(POLL_WHEN_QUIET);
                    }
                    producer.poll(POLL);
                }
            }
        });
        Ok(Client { producer, stop, poller: Some(poller) })
    }

    /// Hands a record over; returns at once. Its acknowledgement is heard from the next [`listen`](Self::listen) on.
    pub(crate) fn send(&self, record: BaseRecord<'_, str, str, usize>) -> Result<(), KafkaError> {
        self.producer.send(record).map_err(|(error, _)| error)
    }

    /// Something is in flight.
    pub(crate) fn listen(&self) {
        if let Some(poller) = &self.poller {
            poller.thread().unpark();
        }
    }
}

/// Waits for the thread; the producer then purges what it still holds.
impl Drop for Client {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.listen();
        if let Some(poller) = self.poller.take() {
            // A panic in there has been reported.
            let _ = poller.join();
        }
    }
}
