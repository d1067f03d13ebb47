//! Delivery of mail: to a mail server, or into files where there is none.

mod files;
mod server;
mod smtp;

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::Args;
use lettre::{Address, message::Mailbox, transport::smtp::authentication::Credentials};
use personal_data::{Unsealed, Vault};
use saga::{
    attempts::{Answer, Attempt, Outside},
    outbox::unquoted,
    unechoed::Unechoed,
};
use serde::Deserialize;
use transport::Transport;

use crate::{Command, MAIL_DOMAIN, Mail};
use files::Files;
use smtp::Smtp;

pub use server::Server;

/// The answer to a mail that an operator settled: the buyer was informed by other means.
pub const SETTLED: &str = "sent";

/// Settings of the delivery and the sender.
#[derive(Debug, Clone, Args)]
pub struct PostConfig {
    /// Mail server to send mail to, smtps://host:port; smtp://host:port only for trying out. Without it, mail goes into files.
    #[arg(long, env = "SMTP_URL", hide_env_values = true, value_parser = Unechoed(str::parse::<Server>))]
    pub smtp_url: Option<Server>,
    /// User at the mail server, where it asks for one.
    #[arg(long, env = "SMTP_USERNAME", hide_env_values = true, requires = "smtp_password_file")]
    pub smtp_username: Option<String>,
    /// File with the user's password, which nobody else can read.
    #[arg(long, env = "SMTP_PASSWORD_FILE", hide_env_values = true, requires = "smtp_username")]
    pub smtp_password_file: Option<PathBuf>,
    /// Directory for mail without a mail server, one file each.
    #[arg(long, env = "MAIL_DIR", hide_env_values = true, default_value = "./mail")]
    pub mail_dir: PathBuf,
    /// Domain of the sender. A buyer without an address gets mail at `user-<id>` in this domain.
    #[arg(long, env = "MAIL_DOMAIN", hide_env_values = true, default_value = MAIL_DOMAIN)]
    pub mail_domain: String,
}

impl PostConfig {
    /// Settings for mail into files of this directory.
    pub fn into_files(mail_dir: PathBuf, mail_domain: &str) -> Self {
        let mail_domain = mail_domain.to_owned();
        PostConfig { smtp_url: None, smtp_username: None, smtp_password_file: None, mail_dir, mail_domain }
    }
}

/// Sends the mails that the service has written.
pub struct Post {
    sender: Mailbox,
    way: Way,
    vault: Vault,
}

enum Way {
    Smtp(Smtp),
    Files(Files),
}

/// Why a mail was not accepted.
enum NotTaken {
    /// It may be accepted later.
    Yet(String),
    /// It will never be accepted as it is.
    Ever(String),
    /// The buyer has been erased: there is no mail any more.
    Erased,
}

impl Post {
    /// # Errors
    /// If the domain is invalid, the transport does not allow the mail server's URL, the password's file can be read by others,
    /// or mail goes into files and their directory cannot be created.
    pub fn new(config: PostConfig, transport: &Transport) -> anyhow::Result<Self> {
        let sender = Address::new("orders", &config.mail_domain)
            .with_context(|| format!("MAIL_DOMAIN `{}` is not a valid domain for a sender", config.mail_domain))?;
        let way = match config.smtp_url {
            Some(server) => {
                anyhow::ensure!(
                    server.tls || !transport.is_required(),
                    "SMTP_URL is not encrypted, and SECURITY=required: set it to smtps://…"
                );
                let credentials = match (config.smtp_username, config.smtp_password_file) {
                    (Some(user), Some(file)) => {
                        anyhow::ensure!(
                            server.tls,
                            "SMTP_USERNAME would be sent to {server} without TLS: set SMTP_URL to smtps://…"
                        );
                        let password = transport::secret("SMTP_PASSWORD_FILE", &file)?;
                        Some(Credentials::new(user, password))
                    }
                    _ => None,
                };
                tracing::info!(%server, "sending mail to the mail server");
                Way::Smtp(Smtp::new(server, credentials, transport.clone()))
            }
            None => {
                tracing::info!(directory = %config.mail_dir.display(), "SMTP_URL is not set: writing mail into files");
                Way::Files(Files::new(config.mail_dir)?)
            }
        };
        Ok(Post { sender: Mailbox::new(None, sender), way, vault: Vault::default() })
    }

    /// The same post for mails that are sealed under keys of this vault.
    #[must_use]
    pub fn opening(self, vault: Vault) -> Self {
        Post { vault, ..self }
    }

    async fn send(&self, mail: Mail) -> Result<(), NotTaken> {
        let keys =
            self.vault.keys_of(&[mail.order.user_id.0]).await.map_err(|error| NotTaken::Yet(error.to_string()))?;
        let mail = mail.opened(&keys).map_err(|error| match error {
            Unsealed::Erased => NotTaken::Erased,
            Unsealed::Unknown | Unsealed::Unusable | Unsealed::Forged => NotTaken::Ever(error.to_string()),
        })?;
        let message = mail.message(&self.sender).map_err(|error| NotTaken::Ever(format!("{error:#}")))?;
        match &self.way {
            Way::Smtp(smtp) => smtp.send(&message).await,
            Way::Files(files) => files.put(&mail.name(), message.formatted()).await,
        }
    }
}

impl Outside<Command> for Post {
    async fn call(&self, attempt: &Attempt) -> Answer<Command> {
        let mail = match Mail::deserialize(&attempt.request) {
            Ok(mail) => mail,
            Err(error) => return Answer::NeedsPerson(format!("the request is no mail: {}", unquoted(&error))),
        };
        let order = mail.order.clone();
        match self.send(mail).await {
            // There is nobody to write to any more.
            Ok(()) | Err(NotTaken::Erased) => Answer::Done(Command::NoteSent { order }),
            Err(NotTaken::Yet(why)) => Answer::Transient(without_addresses(&why)),
            Err(NotTaken::Ever(why)) => Answer::NeedsPerson(without_addresses(&why)),
        }
    }

    fn concurrency(&self) -> usize {
        smtp::CONNECTIONS
    }

    fn time_out(&self) -> Duration {
        // Those of the keys and of the dialogue come first, and give more detail.
        smtp::TIMEOUT + Duration::from_secs(7)
    }

    fn settled(&self, attempt: &Attempt, word: &str) -> Answer<Command> {
        match (word, Mail::deserialize(&attempt.request)) {
            (SETTLED, Ok(mail)) => Answer::Done(Command::NoteSent { order: mail.order }),
            (SETTLED, Err(error)) => Answer::NeedsPerson(format!("the request is no mail: {}", unquoted(&error))),
            (other, _) => Answer::NeedsPerson(format!(
                "`{other}` is no answer to a mail: use {SETTLED} once the buyer has been informed"
            )),
        }
    }

    fn gave_up(&self, attempt: &Attempt) -> Command {
        Command::GiveUp { order_id: attempt.saga_id }
    }
}

/// Removes addresses: a mail server often repeats an unknown address, which belongs neither in logs nor in `last_error`.
fn without_addresses(text: &str) -> String {
    let words = text.split(' ').map(|word| if word.contains('@') { "(an address)" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Args {
        #[command(flatten)]
        post: PostConfig,
    }

    #[test]
    fn an_answer_of_the_mail_system_is_told_without_the_buyers_address() {
        let told = without_addresses("550 5.1.1 <alice@example.org>: no such user (alice@example.org)");
        assert_eq!(told, "550 5.1.1 (an address) no such user (an address)");
    }

    #[test]
    fn a_password_in_the_url_is_not_repeated() {
        let bad = "smtp://orders:s3cret@mail:25";
        let error =
            Args::try_parse_from(["notification", "--smtp-url", bad]).expect_err("no password here").to_string();
        assert!(error.contains("--smtp-url") && !error.contains("s3cret"), "{error}");
    }
}
