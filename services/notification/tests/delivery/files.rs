//! Delivery into files, without a mail system.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};
use transport::Transport;

use events::{
    Reason,
    testing::{digital, order},
};
use notification::{
    Command, Ending, LetterKind, MAIL_DOMAIN, Mail,
    post::{Post, PostConfig},
};
use saga::attempts::{Answer, Attempt, Outside};
use serde_json::json;

use crate::Service;

fn into(directory: &Path) -> PostConfig {
    PostConfig::into_files(directory.to_owned(), MAIL_DOMAIN)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn the_end_of_an_order_becomes_a_file_and_an_event() {
    let directory = tempfile::tempdir().expect("a directory");
    let mail_dir = directory.path().join("not/there/yet");
    let service = Service::start(into(&mail_dir)).await;
    let order = order([digital(1, 2)]);
    service.end(&order, Ending::Cancelled { reason: Reason::Discontinued, refunded: 200 }).await;

    assert_eq!(service.attempt(&order, "done").await, (1, None));
    assert_eq!(service.said(&order).await, [json!({ "order": order, "kind": "cancellation" })]);
    let sent: bool = sqlx::query_scalar("select sent_at is not null from notifications where order_id = $1")
        .bind(order.order_id.0)
        .fetch_one(service.db.pool())
        .await
        .expect("the notification is there");
    assert!(sent);

    let name = format!("{}-cancellation.eml", order.order_id);
    assert_eq!(names(&mail_dir), [name.as_str()], "one mail, and no draft left over");
    let mail = fs::read_to_string(mail_dir.join(&name)).expect("mail is text").replace("\r\n", "\n");
    for line in [
        "From: orders@example.test".to_owned(),
        "To: user-1@example.test".to_owned(),
        "Subject: Your order was cancelled".to_owned(),
        format!("Message-ID: <{}-cancellation@example.test>", order.order_id),
        "Auto-Submitted: auto-generated".to_owned(),
        "one of the items is no longer available (discontinued).".to_owned(),
        "We have returned 200 JPY to your balance.".to_owned(),
    ] {
        assert!(mail.lines().any(|one| one == line), "{line:?} is not in\n{mail}");
    }
    service.stop().await;
}

/// Purchases are private, so only the owner can read the files.
#[tokio::test]
async fn nobody_else_on_the_machine_can_read_the_mails() {
    let directory = tempfile::tempdir().expect("a directory");
    let mail_dir = directory.path().join("mail");
    let service = Service::start(into(&mail_dir)).await;
    let order = order([digital(1, 1)]);
    service.end(&order, Ending::Completed).await;
    service.attempt(&order, "done").await;
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&mail_dir), 0o700);
    let mails = names(&mail_dir);
    assert_eq!(mails.iter().map(|name| mode(&mail_dir.join(name))).collect::<Vec<_>>(), [0o600]);
    service.stop().await;
}

#[tokio::test]
async fn the_same_mail_again_is_the_same_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let post = Post::new(into(directory.path()), &Transport::plain()).expect("mail can be sent");
    let order = order([digital(1, 1)]);
    let mail = Mail {
        order: order.clone(),
        kind: LetterKind::Receipt,
        recipient: "Alice <alice@wonderland.example>".to_owned(),
        subject: "Your receipt".to_owned(),
        body: "Hello,\n\nthis is yours: 円\n".to_owned(),
        written_at: chrono::DateTime::UNIX_EPOCH,
    };
    let attempt = Attempt {
        id: uuid::Uuid::now_v7(),
        kind: "mail".to_owned(),
        saga_id: order.order_id,
        idempotency_key: format!("{}:mail", order.order_id),
        request: json!(mail),
        gives_up: false,
        tries: 1,
        causation_id: None,
        traceparent: None,
        settled_as: None,
    };
    let mut files = Vec::new();
    for _ in 0..2 {
        assert_eq!(post.call(&attempt).await, Answer::Done(Command::NoteSent { order: order.clone() }));
        files.push(fs::read(directory.path().join(format!("{}-receipt.eml", order.order_id))).expect("the mail"));
    }
    assert_eq!(files[0], files[1]);
    assert_eq!(names(directory.path()).len(), 1);
}

#[tokio::test]
async fn an_address_that_is_none_is_for_a_person() {
    let directory = tempfile::tempdir().expect("a directory");
    let service = Service::start(into(directory.path())).await;
    service.db.run("insert into contacts values (1, 'the white rabbit')").await;
    let order = order([digital(1, 1)]);
    service.end(&order, Ending::Completed).await;

    let (tries, error) = service.attempt(&order, "parked").await;
    assert_eq!(tries, 1);
    let told = error.expect("an error");
    assert!(told.contains("the recipient is not an address") && !told.contains("rabbit"), "{told}");
    assert!(service.said(&order).await.is_empty());
    assert!(names(directory.path()).is_empty());
    service.stop().await;
}

#[tokio::test]
async fn a_directory_that_is_gone_is_waited_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let mail_dir = directory.path().join("mail");
    let service = Service::start(into(&mail_dir)).await;
    fs::remove_dir(&mail_dir).expect("removed");
    let order = order([digital(1, 1)]);
    service.end(&order, Ending::Completed).await;
    let (_, error) = crate::eventually("a failed try", || async {
        let open = service.attempt(&order, "open").await;
        open.1.is_some().then_some(open)
    })
    .await;
    assert!(error.is_some_and(|error| error.contains("-receipt.eml")));

    fs::create_dir(&mail_dir).expect("made");
    service.attempt(&order, "done").await;
    assert_eq!(names(&mail_dir).len(), 1);
    service.stop().await;
}
