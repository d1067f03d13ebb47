//! Connections to servers that speak a protocol of their own.

use rustls_pki_types::ServerName;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Transport, settings::Refused, tls};

impl Transport {
    /// Encrypts a connection to the server of this name or address, and shows the program's certificate.
    ///
    /// # Errors
    /// If the program has no certificate, or one of both sides does not trust the other's.
    pub async fn dial<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        stream: S,
    ) -> Result<TlsStream<S>, Refused> {
        let identity = self.identity().ok_or_else(|| Refused("there is no certificate: set TLS_DIR".to_owned()))?;
        let name = ServerName::try_from(host.to_owned()).map_err(|error| Refused(format!("{host}: {error}")))?;
        let connected = TlsConnector::from(Arc::new(tls::client(identity)?)).connect(name, stream).await;
        connected.map_err(|error| Refused(format!("TLS with {host}: {error}")))
    }
}
