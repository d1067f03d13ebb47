//! Clients of an operator's commands, which authenticate as the environment of the process says.

use rdkafka::ClientConfig;
use saga::outbox::sasl::Sasl;

/// Settings of a client for the brokers at these addresses.
///
/// # Errors
/// If the credentials that the environment names cannot be used.
pub fn client(brokers: &str) -> anyhow::Result<ClientConfig> {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", brokers);
    Sasl::of_process().map_err(anyhow::Error::msg)?.apply(&mut client);
    Ok(client)
}
