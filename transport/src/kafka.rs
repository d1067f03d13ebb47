//! Kafka's clients.

use rdkafka::ClientConfig;

use crate::Transport;

impl Transport {
    /// Settings of a client that reaches these brokers (host:port, separated by commas): the only place where one is made.
    ///
    /// The client verifies the brokers' certificates and names, and shows its own. librdkafka reads the files when a client is
    /// created, so a client is replaced when [`version`](Self::version) changes. Its own settings cannot refuse TLS 1.2: the
    /// brokers must, by `ssl.enabled.protocols=TLSv1.3`.
    pub fn kafka(&self, brokers: &str) -> ClientConfig {
        #[expect(clippy::disallowed_methods, reason = "the one place")]
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", brokers);
        if let Some(identity) = self.identity() {
            client
                .set("security.protocol", "ssl")
                .set("ssl.ca.location", identity.ca_file().display().to_string())
                .set("ssl.certificate.location", identity.certificate_file().display().to_string())
                .set("ssl.key.location", identity.key_file().display().to_string())
                .set("enable.ssl.certificate.verification", "true")
                .set("ssl.endpoint.identification.algorithm", "https");
        }
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_certificates_a_client_is_plain() {
        let client = Transport::plain().kafka("a:1,b:2");
        assert_eq!(client.get("bootstrap.servers"), Some("a:1,b:2"));
        assert_eq!(client.get("security.protocol"), None);
    }
}
