//! Delivery to a mail server, with failures of every kind.

use std::net::TcpListener;

use events::testing::{digital, order};
use notification::Ending;
use serde_json::json;

use crate::{
    Service, eventually,
    mail_system::{MailSystem, post_to},
};

#[tokio::test]
async fn a_mail_arrives_and_its_sending_is_said() {
    let mut mails = MailSystem::start([]).await;
    let service = Service::start(mails.post()).await;
    let order = order([digital(1, 3)]);
    service.end(&order, Ending::Completed).await;

    let mail = mails.take().await;
    assert!(mail.to.contains("<user-1@example.test>"), "{}", mail.to);
    for part in ["3 x product 1 at 100 JPY", "Total: 300 JPY", &format!("<{}-receipt@example.test>", order.order_id)] {
        assert!(mail.text.contains(part), "{part:?} is not in\n{}", mail.text);
    }
    assert_eq!(service.attempt(&order, "done").await, (1, None));
    assert_eq!(service.said(&order).await, [json!({ "order": order, "kind": "receipt" })]);
    service.stop().await;
}

#[tokio::test]
async fn what_is_refused_for_now_is_sent_again_and_said_once() {
    let moods = [("RCPT", "450 4.2.1 mailbox busy"), (".", "451 4.3.0 try again later")];
    let mut mails = MailSystem::start(moods).await;
    let service = Service::start(mails.post()).await;
    let order = order([digital(1, 1)]);
    service.end(&order, Ending::Completed).await;

    let mail = mails.take().await;
    assert!(mail.text.contains("Total: 100 JPY"), "{}", mail.text);
    assert_eq!(service.attempt(&order, "done").await.0, 3);
    assert_eq!(service.said(&order).await.len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn what_is_refused_for_good_is_for_a_person() {
    let mails = MailSystem::start([("RCPT", "550 5.1.1 no such user")]).await;
    let service = Service::start(mails.post()).await;
    let order = order([digital(1, 1)]);
    service.end(&order, Ending::Completed).await;

    let (tries, error) = service.attempt(&order, "parked").await;
    assert_eq!(tries, 1);
    // The server's words may quote the address: only its codes are told.
    let told = error.expect("an error");
    assert!(told.contains("550 5.1.1") && !told.contains("no such user"), "{told}");
    assert!(service.said(&order).await.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn a_mail_system_that_is_away_is_waited_for() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("it is bound")
    };
    let service = Service::start(post_to(address)).await;
    let order = order([digital(1, 1)]);
    service.end(&order, Ending::Completed).await;
    eventually("a failed try", || async { service.attempt(&order, "open").await.1 }).await;

    let mut mails = MailSystem::listen(address, [].into()).await;
    mails.take().await;
    service.attempt(&order, "done").await;
    assert_eq!(service.said(&order).await.len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn a_connection_serves_many_mails() {
    let mut mails = MailSystem::start([]).await;
    let service = Service::start(mails.post()).await;
    for _ in 0..3 {
        let order = order([digital(1, 1)]);
        service.end(&order, Ending::Completed).await;
        mails.take().await;
        service.attempt(&order, "done").await;
    }
    assert_eq!(mails.connections(), 1);
    service.stop().await;
}

/// A connection that fell silent in the middle of a dialogue is not reused.
#[tokio::test]
async fn a_mail_system_that_falls_silent_is_asked_again_on_a_new_connection() {
    let mut mails = MailSystem::start([(".", "")]).await;
    let service = Service::start(mails.post()).await;
    let order = order([digital(1, 1)]);
    service.end(&order, Ending::Completed).await;

    let mail = mails.take().await;
    assert!(mail.text.contains("Total: 100 JPY"), "{}", mail.text);
    assert_eq!((service.attempt(&order, "done").await.0, mails.connections()), (2, 2));
    service.stop().await;
}

/// A mail whose claim expired while it waited for a connection would be sent by another process too.
#[tokio::test]
async fn no_more_mails_are_claimed_than_connections_are_open() {
    let mut mails = MailSystem::start([(".", ""); 16]).await;
    let service = Service::start(mails.post()).await;
    let orders: Vec<_> = (0..20).map(|_| order([digital(1, 1)])).collect();
    for order in &orders {
        service.end(order, Ending::Completed).await;
    }
    eventually("sixteen dialogues", || async { (mails.connections() == 16).then_some(()) }).await;
    let claimed: i64 =
        sqlx::query_scalar("select count(*) from attempts where status = 'open' and claimed_by is not null")
            .fetch_one(service.db.pool())
            .await
            .expect("counted");
    assert!(claimed <= 16, "{claimed} mails are claimed, for 16 connections");
    for order in &orders {
        service.attempt(order, "done").await;
    }
    // The mail that met silence is sent again, because it may not have been accepted; no other is.
    for _ in &orders {
        mails.take().await;
    }
    service.stop().await;
}
