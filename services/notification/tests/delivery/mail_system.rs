//! A minimal SMTP server (RFC 5321) with scripted answers.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use notification::{MAIL_DOMAIN, post::PostConfig};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
    sync::mpsc,
    task::JoinHandle,
    time,
};
use transport::{Acceptor, Transport};

/// An accepted mail.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The address in RCPT.
    pub(crate) to: String,
    pub(crate) text: String,
    /// Line with which the client said who it is; empty if it did not.
    pub(crate) credentials: String,
}

/// Scripted answers, each used once, by command: `("RCPT", "450 busy")`; `.` is the end of the data. An empty answer is silence.
type Script = VecDeque<(&'static str, &'static str)>;

pub(crate) struct MailSystem {
    address: SocketAddr,
    taken: mpsc::UnboundedReceiver<Taken>,
    connections: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Drop for MailSystem {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl MailSystem {
    /// Starts a server that accepts everything, except as the script says.
    pub(crate) async fn start(script: impl Into<Script>) -> Self {
        Self::listen("127.0.0.1:0".parse().expect("an address"), script.into()).await
    }

    /// The same over TLS from the first byte, for clients whose certificate counts.
    pub(crate) async fn start_secured(transport: &Transport) -> Self {
        let acceptor = transport.acceptor(false).expect("a server").expect("with certificates");
        Self::listen_with(Some(acceptor), "127.0.0.1:0".parse().expect("an address"), Script::new()).await
    }

    pub(crate) async fn listen(address: SocketAddr, script: Script) -> Self {
        Self::listen_with(None, address, script).await
    }

    async fn listen_with(acceptor: Option<Acceptor>, address: SocketAddr, script: Script) -> Self {
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let address = listener.local_addr().expect("it is bound");
        let (sender, taken) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let script = Arc::new(Mutex::new(script));
        let serving = tokio::spawn({
            let connections = connections.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::Relaxed);
                    let (script, sender, acceptor) = (script.clone(), sender.clone(), acceptor.clone());
                    tokio::spawn(async move {
                        match acceptor {
                            None => serve(stream, script, sender).await,
                            Some(acceptor) => serve(acceptor.accept(stream).await?.0, script, sender).await,
                        }
                    });
                }
            }
        });
        MailSystem { address, taken, connections, serving }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The next accepted mail.
    pub(crate) async fn take(&mut self) -> Taken {
        let bound = Duration::from_secs(20);
        let mail = time::timeout(bound, self.taken.recv()).await;
        mail.unwrap_or_else(|_| panic!("waited {bound:?} for a mail")).expect("it serves as long as it is held")
    }

    pub(crate) fn post(&self) -> PostConfig {
        post_to(self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

pub(crate) fn post_to(address: SocketAddr) -> PostConfig {
    PostConfig {
        smtp_username: None,
        smtp_password_file: None,
        smtp_url: Some(format!("smtp://{address}").parse().expect("a mail system's address")),
        mail_dir: "/nonexistent".into(),
        mail_domain: MAIL_DOMAIN.to_owned(),
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite,
    script: Arc<Mutex<Script>>,
    taken: mpsc::UnboundedSender<Taken>,
) -> std::io::Result<()> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    let (mut to, mut credentials) = (String::new(), String::new());
    let mut text: Option<String> = None;
    writer.write_all(b"220 ready\r\n").await?;
    writer.flush().await?;
    while let Some(line) = lines.next_line().await? {
        if let Some(data) = text.as_mut().filter(|_| line != ".") {
            data.push_str(line.strip_prefix('.').unwrap_or(&line));
            data.push('\n');
            continue;
        }
        let verb = line.split(' ').next().unwrap_or_default().to_owned();
        let answer = match scripted(&script, &verb) {
            Some(answer) => answer,
            None => match verb.as_str() {
                "DATA" => "354 go on",
                "QUIT" => "221 bye",
                "EHLO" => "250-mail\r\n250 AUTH PLAIN",
                "AUTH" => "235 welcome",
                _ => "250 ok",
            },
        };
        let yes = answer.starts_with(['2', '3']);
        match verb.as_str() {
            "RCPT" => to = line,
            "AUTH" => credentials = line,
            "DATA" if yes => text = Some(String::new()),
            "." => {
                let (to, text) = (to.clone(), text.take().unwrap_or_default());
                // Sending fails only when the test is over.
                let _ = if yes { taken.send(Taken { to, text, credentials: credentials.clone() }) } else { Ok(()) };
            }
            _ => {}
        }
        if !answer.is_empty() {
            writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
            writer.flush().await?;
        }
    }
    Ok(())
}

/// The script's next answer, if it is one to this command.
fn scripted(script: &Mutex<Script>, verb: &str) -> Option<&'static str> {
    let mut script = script.lock().expect("nobody panics with the script in hand");
    let due = script.front().is_some_and(|(command, _)| *command == verb);
    due.then(|| script.pop_front()).flatten().map(|(_, answer)| answer)
}
