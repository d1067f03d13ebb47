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
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time,
};

/// An accepted mail.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The address in RCPT.
    pub(crate) to: String,
    pub(crate) text: String,
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

    pub(crate) async fn listen(address: SocketAddr, script: Script) -> Self {
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
                    tokio::spawn(serve(stream, script.clone(), sender.clone()));
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
    stream: TcpStream,
    script: Arc<Mutex<Script>>,
    taken: mpsc::UnboundedSender<Taken>,
) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut to = String::new();
    let mut text: Option<String> = None;
    writer.write_all(b"220 ready\r\n").await?;
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
                _ => "250 ok",
            },
        };
        let yes = answer.starts_with(['2', '3']);
        match verb.as_str() {
            "RCPT" => to = line,
            "DATA" if yes => text = Some(String::new()),
            "." => {
                let (to, text) = (to.clone(), text.take().unwrap_or_default());
                // Sending fails only when the test is over.
                let _ = if yes { taken.send(Taken { to, text }) } else { Ok(()) };
            }
            _ => {}
        }
        if !answer.is_empty() {
            writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
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
