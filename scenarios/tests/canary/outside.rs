//! A mail server and a payment provider that quote what they were sent.

use std::sync::{Arc, Mutex, OnceLock};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// Address of the real provider, once it is known.
type Real = Arc<OnceLock<String>>;

/// A provider that quotes the token in its refusals, if the token asks for it; else the real one answers.
pub(crate) struct Provider {
    pub(crate) url: String,
    pub(crate) real: Real,
}

impl Provider {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (url, real) = (format!("http://{}", listener.local_addr()?), Real::default());
        let routes = Router::new().route("/v1/payments/{payment}/{operation}", post(operate)).with_state(real.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Provider { url, real })
    }
}

async fn operate(
    State(real): State<Real>,
    Path((payment, operation)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
    let token = sent["token"].as_str().unwrap_or_default();
    let quoted = |reason: &str| {
        let detail = format!("the charge {sent} is refused");
        json!({ "type": token, "title": format!("The card {token} is not known"), "reason": reason, "detail": detail })
    };
    if token.contains("unprocessable") {
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(quoted(token))).into_response();
    }
    if token.contains("unpaid") {
        return (StatusCode::PAYMENT_REQUIRED, Json(quoted(token))).into_response();
    }
    let Some(real) = real.get() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let client = transport::Transport::plain().http().unwrap().build().unwrap();
    let mut request = client.post(format!("{real}/v1/payments/{payment}/{operation}")).body(body);
    for name in ["idempotency-key", "content-type", "traceparent"] {
        request = headers.get(name).into_iter().fold(request, |request, value| request.header(name, value));
    }
    match request.send().await {
        Ok(answer) => (answer.status(), answer.bytes().await.unwrap_or_default()).into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// A mail server that refuses some addresses, and quotes them in every way it knows.
pub(crate) struct MailServer {
    pub(crate) url: String,
    taken: Arc<Mutex<String>>,
}

impl MailServer {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (url, taken) = (format!("smtp://{}", listener.local_addr()?), Arc::<Mutex<String>>::default());
        tokio::spawn({
            let taken = taken.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, taken.clone()));
                }
            }
        });
        Ok(MailServer { url, taken })
    }

    /// The mails that it has taken.
    pub(crate) fn taken(&self) -> String {
        self.taken.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, taken: Arc<Mutex<String>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test\r\n").await?;
    let (mut line, mut letter) = (String::new(), false);
    while stream.read_line(&mut line).await? > 0 {
        let answer = match line.split([' ', '\r']).next().unwrap_or_default() {
            "." if letter => {
                letter = false;
                "250 taken\r\n".to_owned()
            }
            _ if letter => String::new(),
            "DATA" => {
                letter = true;
                "354 go on\r\n".to_owned()
            }
            "RCPT" => refusal(&line).unwrap_or_else(|| "250 ok\r\n".to_owned()),
            "QUIT" => return stream.write_all(b"221 bye\r\n").await,
            _ => "250 ok\r\n".to_owned(),
        };
        taken.lock().unwrap().push_str(&line);
        line.clear();
        stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

fn refusal(line: &str) -> Option<String> {
    let code = match line {
        line if line.contains("refused") => "550 5.1.1",
        line if line.contains("later") => "450 4.2.1",
        _ => return None,
    };
    let address = line.split(['<', '>']).nth(1)?;
    let person = address.split('@').next()?;
    let escaped: String = address.bytes().map(|byte| format!("%{byte:02x}")).collect();
    Some(format!("{code} <{address}>: user {person} is unknown, see https://mail.test/?who={escaped}\r\n"))
}
