//! TLS 1.3 for rustls's clients and servers, whose certificates follow the files.
//!
//! rustls asks for the own certificate and for the verification of the other's in each handshake. Both are answered with what the
//! [`Identity`] holds then, so neither a client nor a server has to be made again when files change.

use std::{io, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::{
        ResolvesClientCert, Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{verify_tls12_signature, verify_tls13_signature},
    server::{
        ClientHello, ResolvesServerCert, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{
    Transport,
    identity::{Identity, common_name, provider},
    settings::Refused,
};

/// Time for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// A client that shows the identity's certificate and trusts its authorities.
pub(crate) fn client(identity: &Identity) -> Result<ClientConfig, Refused> {
    let following = Arc::new(Following(identity.clone()));
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| Refused(format!("TLS 1.3 cannot be set up: {error}")))?
        // Dangerous only in name: the verification is the library's own, with the authorities of the moment.
        .dangerous()
        .with_custom_certificate_verifier(following.clone())
        .with_client_cert_resolver(following);
    // A resumed session would not look at certificates again.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The other side of a connection, by its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Common name of its certificate.
    pub name: String,
}

/// Accepts TLS connections of clients that show a certificate of a trusted authority.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor")
    }
}

impl Transport {
    /// Accepts connections with the program's certificate; None without certificates. `anonymous` clients, which show no
    /// certificate, are let in only if asked for: they have to be known by a token then.
    ///
    /// # Errors
    /// Never but for a fault of the TLS library.
    pub fn acceptor(&self, anonymous: bool) -> Result<Option<Acceptor>, Refused> {
        let Some(identity) = self.identity() else { return Ok(None) };
        let following = Arc::new(Following(identity.clone()));
        let verifier = Arc::new(Clients { following: following.clone(), mandatory: !anonymous });
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| Refused(format!("TLS 1.3 cannot be set up: {error}")))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(following);
        // A resumed session would not look at certificates again: neither at their expiry nor at authorities taken away.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Acceptor(TlsAcceptor::from(Arc::new(config)))))
    }
}

impl Acceptor {
    /// Shakes hands within five seconds. Returns the connection and the client, if it showed a certificate.
    ///
    /// # Errors
    /// A client without a certificate that counts, a connection that ends, or silence.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<(TlsStream<S>, Option<Peer>)> {
        let shaken = timeout(HANDSHAKE, self.0.accept(stream)).await;
        let stream =
            shaken.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long"))??;
        let peer = match stream.get_ref().1.peer_certificates().and_then(<[_]>::first) {
            None => None,
            Some(certificate) => Some(peer(certificate).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "the client's certificate has no single common name")
            })?),
        };
        Ok((stream, peer))
    }
}

fn peer(certificate: &CertificateDer<'_>) -> Option<Peer> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(Peer { name: common_name(&certificate)? })
}

/// Answers with the certificates of the moment.
#[derive(Debug)]
struct Following(Identity);

impl Following {
    fn servers(&self) -> Result<Arc<WebPkiServerVerifier>, Error> {
        let roots = self.0.current().roots.clone();
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
        verifier.map_err(|error| Error::General(error.to_string()))
    }

    fn clients(&self) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        let roots = self.0.current().roots.clone();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
        verifier.map_err(|error| Error::General(error.to_string()))
    }
}

impl ResolvesServerCert for Following {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current().own.clone())
    }
}

impl ResolvesClientCert for Following {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current().own.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn signed_12(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    verify_tls12_signature(message, certificate, signed, &provider().signature_verification_algorithms)
}

fn signed_13(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    verify_tls13_signature(message, certificate, signed, &provider().signature_verification_algorithms)
}

impl ServerCertVerifier for Following {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.servers()?.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signed_12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signed_13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Verifies clients.
#[derive(Debug)]
struct Clients {
    following: Arc<Following>,
    mandatory: bool,
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Clients have one certificate each and need no hint.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.following.clients()?.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signed_12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signed_13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
