//! Mail over TLS: to a server that is known, and to no other.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use events::testing::{digital, order};
use notification::{
    Ending,
    post::{Post, PostConfig},
};
use tempfile::TempDir;
use transport::{
    Security, Settings, Transport,
    authority::{Authority, Leaf},
};

use crate::{
    Service,
    mail_system::{MailSystem, post_to},
};

fn transport(authority: &Authority, directory: &Path, name: &str) -> Transport {
    let path = directory.join(name);
    authority.write(&Leaf::of(name, Duration::from_secs(600)), &path).expect("written");
    Settings { security: Security::Required, tls_dir: Some(path) }.open().expect("certificates")
}

fn secured(mails: &MailSystem) -> PostConfig {
    let url = format!("smtps://localhost:{}", mails.address().port());
    PostConfig { smtp_url: Some(url.parse().expect("a mail system's address")), ..post_to(mails.address()) }
}

#[tokio::test]
async fn mail_goes_only_to_a_server_that_is_known() {
    let directory = TempDir::new().expect("a directory");
    let authority = Authority::create("a test's").expect("an authority");
    let own = transport(&authority, directory.path(), "notification");
    let order = order([digital(1, 1)]);

    // By another authority: nothing is said to it, and the mail waits.
    let stranger = Authority::create("a stranger's").expect("an authority");
    let strange = MailSystem::start_secured(&transport(&stranger, directory.path(), "stranger")).await;
    let service = Service::over(&own, secured(&strange)).await;
    service.end(&order, Ending::Completed).await;
    let tried = service.tried(&order, 2).await;
    assert!(tried.contains("certificate") || tried.contains("Unknown"), "{tried}");
    assert!(service.said(&order).await.is_empty());
    service.stop().await;

    // The same mail to a server that is known, with a user and a password.
    let password = directory.path().join("password");
    fs::write(&password, "s3cret\n").expect("written");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("set");
    let mut mails = MailSystem::start_secured(&transport(&authority, directory.path(), "mail")).await;
    let config = PostConfig {
        smtp_username: Some("orders".to_owned()),
        smtp_password_file: Some(password.clone()),
        ..secured(&mails)
    };
    let service = Service::over(&own, config.clone()).await;
    service.end(&order, Ending::Completed).await;
    // AUTH PLAIN: base64 of "\0orders\0s3cret".
    assert_eq!(mails.take().await.credentials, "AUTH PLAIN AG9yZGVycwBzM2NyZXQ=");
    service.attempt(&order, "done").await;
    service.stop().await;

    let refused = |transport: &Transport, config: PostConfig| {
        Post::new(config, transport).err().map(|error| format!("{error:#}")).expect("refused")
    };
    let plain = PostConfig { smtp_url: post_to(mails.address()).smtp_url, ..config.clone() };
    assert!(refused(&own, plain.clone()).contains("SMTP_URL"));
    assert!(refused(&Transport::plain(), plain).contains("SMTP_USERNAME"), "not even where security is off");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).expect("set");
    assert!(refused(&own, config).contains("chmod 600"));
}
