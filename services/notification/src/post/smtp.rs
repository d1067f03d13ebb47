//! Mail to a mail system, over connections that are kept.
//!
//! A connection on which anything went wrong or took too long is dropped, never kept: in the middle of a dialogue the
//! answer to one mail could be taken for the answer to the next. For that the pool is our own; the library's takes an
//! abandoned connection back.

use std::time::Duration;

use lettre::{
    Message,
    transport::smtp::{Error, client::AsyncSmtpConnection, extension::ClientId},
};
use tokio::{sync::Mutex, time::timeout};

use super::{NotTaken, Server};

/// For one mail, from connecting to the answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// Mails under way at once, each on a connection of its own: few enough for a mail system. No more are claimed, so that none
/// waits for a connection while its claim runs out.
pub(super) const CONNECTIONS: usize = 16;

/// A mail system that takes our mail.
pub(super) struct Smtp {
    server: Server,
    hello: ClientId,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

impl Smtp {
    pub(super) fn new(server: Server) -> Self {
        Smtp { server, hello: ClientId::default(), idle: Mutex::default() }
    }

    /// Hands a mail over. Where the answer got lost the mail may have been taken all the same; its Message-ID then shows
    /// the repetition.
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

    /// A kept connection that still answers, else a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, Error> {
        loop {
            let kept = self.idle.lock().await.pop();
            match kept {
                Some(mut connection) => {
                    if connection.test_connected().await {
                        return Ok(connection);
                    }
                }
                None => {
                    let server = (self.server.host.as_str(), self.server.port);
                    return AsyncSmtpConnection::connect_tokio1(server, Some(TIMEOUT), &self.hello, None, None).await;
                }
            }
        }
    }
}

/// A refusal for good (5yz), or a mail that this server cannot take, is for a person; "not now" (4yz) and everything
/// between us and the server passes.
fn not_taken(server: &Server, error: &Error) -> NotTaken {
    let why = format!("{server}: {error}");
    if error.is_permanent() || error.is_client() { NotTaken::Ever(why) } else { NotTaken::Yet(why) }
}
