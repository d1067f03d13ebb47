//! Mail over SMTP, with pooled connections.
//!
//! A connection on which anything failed or timed out is dropped, never reused: in the middle of a dialogue, the answer to one
//! mail could be mistaken for the answer to the next. That is why the pool is our own; the library's takes abandoned connections
//! back.

use std::time::Duration;

use lettre::{
    Message,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, Identity, TlsParameters, TlsVersion},
        extension::ClientId,
    },
};
use tokio::{sync::Mutex, time::timeout};
use transport::Transport;

use super::{NotTaken, Server};

/// Timeout for one mail, from connecting to the answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of mails in flight, each on a connection of its own: few enough for a mail system. No more are claimed, so that
/// none waits for a connection while its claim expires.
pub(super) const CONNECTIONS: usize = 16;

/// A mail system that accepts our mail.
pub(super) struct Smtp {
    server: Server,
    credentials: Option<Credentials>,
    transport: Transport,
    hello: ClientId,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

impl Smtp {
    pub(super) fn new(server: Server, credentials: Option<Credentials>, transport: Transport) -> Self {
        Smtp { server, credentials, transport, hello: ClientId::default(), idle: Mutex::default() }
    }

    /// Submits a mail. If the answer is lost, the mail may have been accepted all the same; its Message-ID then shows the
    /// repetition.
    pub(super) async fn send(&self, message: &Message) -> Result<(), NotTaken> {
        match timeout(TIMEOUT, self.dialogue(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(not_taken(&self.server, &error)),
            Err(_) => Err(NotTaken::Yet(format!("{} did not answer within {} s", self.server, TIMEOUT.as_secs()))),
        }
    }

    async fn dialogue(&self, message: &Message) -> Result<(), Error> {
        let mut connection = self.connection().await?;
        connection.send(message.envelope(), &message.formatted()).await?;
        self.idle.lock().await.push(connection);
        Ok(())
    }

    /// A pooled connection that still answers, or else a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, Error> {
        loop {
            let kept = self.idle.lock().await.pop();
            match kept {
                Some(mut connection) => {
                    if connection.test_connected().await {
                        return Ok(connection);
                    }
                }
                None => return self.connect().await,
            }
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let server = (self.server.host.as_str(), self.server.port);
        let tls = if self.server.tls { Some(self.tls()?) } else { None };
        let mut connection = AsyncSmtpConnection::connect_tokio1(server, Some(TIMEOUT), &self.hello, tls, None).await?;
        if let Some(credentials) = &self.credentials {
            connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await?;
        }
        Ok(connection)
    }

    /// TLS 1.3 with the certificates as they are now: every new connection reads them.
    fn tls(&self) -> Result<TlsParameters, Error> {
        let tls = TlsParameters::builder(self.server.host.clone()).set_min_tls_version(TlsVersion::Tlsv13);
        let Some(identity) = self.transport.identity() else { return tls.build_rustls() };
        let current = identity.current();
        let pem = current.pem();
        tls.certificate_store(CertificateStore::None)
            .add_root_certificate(Certificate::from_pem(pem.authorities)?)
            // For rustls, the library takes the certificate as it is, in DER, and the key in PEM.
            .identify_with(Identity::from_pem(current.leaf(), pem.key)?)
            .build_rustls()
    }
}

/// Permanent refusals (5yz), and mails that this server cannot accept, need an operator; temporary ones (4yz) and network
/// failures are retried.
fn not_taken(server: &Server, error: &Error) -> NotTaken {
    let why = format!("{server}: {}", told(error));
    if error.is_permanent() || error.is_client() { NotTaken::Ever(why) } else { NotTaken::Yet(why) }
}

/// The error without the text of the server's answer, which may quote the buyer or his letter in any form: the answer's code, and
/// its enhanced code (RFC 3463) if there is one.
fn told(error: &Error) -> String {
    let Some(code) = error.status() else {
        return if error.is_response() { "the answer is no SMTP".to_owned() } else { error.to_string() };
    };
    let answer = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    enhanced(&answer).map_or_else(|| format!("refused, {code}"), |enhanced| format!("refused, {code} {enhanced}"))
}

/// The enhanced code with which an answer begins: class, subject and detail.
fn enhanced(answer: &str) -> Option<&str> {
    let first = answer.split_whitespace().next()?;
    let parts: Vec<&str> = first.split('.').collect();
    let is_number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    (parts.len() == 3 && parts.iter().all(is_number)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_answer_only_its_code_is_told() {
        for (answer, code) in [
            ("5.1.1 <alice@example.org>: no such user", Some("5.1.1")),
            ("4.2.1\talice", Some("4.2.1")),
            ("alice@example.org is unknown", None),
            ("5.1.alice is unknown", None),
            ("5.1.1.1", None),
            ("5.1.4921", None),
            ("", None),
        ] {
            assert_eq!(enhanced(answer), code, "{answer}");
        }
    }
}
