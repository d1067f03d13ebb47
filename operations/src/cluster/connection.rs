//! One connection to one broker.

use std::{fmt, time::Duration};

use anyhow::{Context, bail, ensure};
use kafka_protocol::{
    ResponseError,
    messages::{RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslHandshakeRequest},
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
};
use saga::outbox::{kafka::Cluster, sasl::MECHANISM};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use uuid::Uuid;

use super::scram::Exchange;

const TIMEOUT: Duration = Duration::from_secs(15);
/// Largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
const CLIENT: &str = "scenarios";

/// What carries the bytes, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection, authenticated if there are credentials.
pub struct Connection {
    stream: Box<dyn Stream>,
    correlation: i32,
}

/// A request that the broker refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub error: Option<ResponseError>,
    code: i16,
    message: Option<String>,
}

impl Refused {
    /// An error for a code other than 0.
    ///
    /// # Errors
    /// The code as an error.
    pub fn check(code: i16, message: Option<&str>) -> Result<(), Self> {
        match code {
            0 => Ok(()),
            _ => Err(Refused { error: ResponseError::try_from_code(code), code, message: message.map(str::to_owned) }),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => write!(f, "{error:?}")?,
            None => write!(f, "the error {}", self.code)?,
        }
        self.message.iter().try_for_each(|message| write!(f, ": {message}"))
    }
}

impl std::error::Error for Refused {}

impl Connection {
    /// Connects to the first broker that answers, and authenticates.
    ///
    /// # Errors
    /// If none answers, or the broker does not accept the credentials.
    pub async fn open(cluster: &Cluster) -> anyhow::Result<Self> {
        let mut last = anyhow::anyhow!("no broker is given: set KAFKA_BROKERS or use --brokers");
        let brokers = cluster.kafka.kafka_brokers.iter().map(|broker| broker.trim());
        for broker in brokers.filter(|broker| !broker.is_empty()) {
            let opened = tokio::time::timeout(TIMEOUT, Self::to(broker, cluster)).await;
            match opened.with_context(|| format!("{broker} does not answer")).and_then(|opened| opened) {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn to(broker: &str, cluster: &Cluster) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(broker).await.with_context(|| format!("connecting to {broker}"))?;
        stream.set_nodelay(true)?;
        let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host);
        let stream: Box<dyn Stream> = match cluster.transport.identity() {
            Some(_) => Box::new(cluster.transport.dial(host, stream).await.with_context(|| broker.to_owned())?),
            None => Box::new(stream),
        };
        let mut connection = Connection { stream, correlation: 0 };
        if let Some((username, password)) = cluster.kafka.kafka_sasl.pair() {
            let authenticated = connection.authenticate(username, password).await;
            authenticated.with_context(|| format!("authenticating as {username} at {broker}"))?;
        }
        Ok(connection)
    }

    async fn authenticate(&mut self, username: &str, password: &str) -> anyhow::Result<()> {
        let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(MECHANISM));
        let answer = self.ask(&handshake, 1).await?;
        Refused::check(answer.error_code, None)?;
        let exchange = Exchange::new(username, password, Uuid::new_v4().simple().to_string());
        let answer = self.sasl(exchange.first()).await?;
        let (last, awaiting) = exchange.last(&answer)?;
        awaiting.check(&self.sasl(last).await?)
    }

    async fn sasl(&mut self, message: String) -> anyhow::Result<String> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(message.into_bytes().into());
        let answer = self.ask(&request, 1).await?;
        Refused::check(answer.error_code, answer.error_message.as_deref())?;
        Ok(String::from_utf8(answer.auth_bytes.to_vec())?)
    }

    /// Sends a request in this version of it, and waits for the answer.
    ///
    /// # Errors
    /// If the broker does not answer, or closes the connection, as it does to those whom it does not know.
    pub async fn ask<R: Request>(&mut self, request: &R, version: i16) -> anyhow::Result<R::Response> {
        let asked = tokio::time::timeout(TIMEOUT, self.exchange(request, version)).await;
        asked.context("the broker does not answer")?
    }

    async fn exchange<R: Request>(&mut self, request: &R, version: i16) -> anyhow::Result<R::Response> {
        self.correlation += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(StrBytes::from_static_str(CLIENT)));
        // Its size goes first.
        let mut message = vec![0; 4];
        header.encode(&mut message, R::header_version(version))?;
        request.encode(&mut message, version)?;
        let size = i32::try_from(message.len() - 4).context("a request that is too large")?;
        message[..4].copy_from_slice(&size.to_be_bytes());
        self.stream.write_all(&message).await.context("sending a request")?;
        let size = self.stream.read_i32().await.context("the broker closed the connection")?;
        let Ok(size) = usize::try_from(size) else { bail!("the broker answers with {size} bytes") };
        ensure!(size <= LARGEST_ANSWER, "the broker answers with {size} bytes: is it a broker?");
        let mut answer = vec![0; size];
        self.stream.read_exact(&mut answer).await.context("reading the broker's answer")?;
        let mut answer = &answer[..];
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version))?;
        ensure!(header.correlation_id == self.correlation, "the broker answers another request");
        R::Response::decode(&mut answer, version)
    }
}
