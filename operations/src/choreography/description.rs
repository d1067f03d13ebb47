//! The choreography as an AsyncAPI document.

use saga_schema::asyncapi::{self, System};
use serde_json::Value;

use super::Choreography;

impl Choreography {
    /// An AsyncAPI 3.0.0 document of the system. Payloads of the shop's events are described by their schemas; of those of other
    /// services only the tables are known.
    pub fn asyncapi(&self, title: String, brokers: Vec<String>) -> Value {
        let system = System {
            title,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "A choreographed saga over Kafka: no service calls another, and none knows the whole flow. Each event is a \
                          CloudEvent in binary mode with the saga's id as its key; the events of one saga and one service are in \
                          order. Deliveries are repeated: an event counts once, by its `ce_id`. What a service sends and receives \
                          is from the table that also drives it."
                .to_owned(),
            contact: "The operators of the system".to_owned(),
            license: env!("CARGO_PKG_LICENSE").to_owned(),
            brokers,
        };
        asyncapi::document(&system, self.tables(), &events::schemas::all())
    }
}
