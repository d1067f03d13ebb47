//! A flood of denied requests.

use audit_log::{Actor, AuditLog, Denial, Denials, Known, Recorder, Wanted};

use crate::support::Log;

fn denial(name: &str) -> Denial {
    let actor = Actor { name: name.to_owned(), known: Known::Token };
    let about = Some(uuid::Uuid::nil());
    Denial { actor, object: ("route", "GET /orders/{id}".to_owned()), why: "another's order".to_owned(), about }
}

#[tokio::test]
async fn a_flood_of_denials_becomes_one_entry_with_its_count() {
    let log = Log::create().await;
    let denials = Denials::default();
    assert!((0..5_000).all(|_| denials.count(denial("mallory"))));
    denials.count(denial("alice"));
    assert_eq!(denials.record(&log.recorder()).await.unwrap(), 2);
    assert_eq!(denials.record(&log.recorder()).await.unwrap(), 0);
    let wanted = Wanted { actor: Some("mallory".to_owned()), latest: 10, ..Wanted::default() };
    let entries = log.reader().list(&wanted).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].reason, "another's order");
    assert_eq!(entries[0].details, r#"{"first":"00000000-0000-0000-0000-000000000000","times":5000}"#);
    log.drop().await;
}

#[tokio::test]
async fn denials_that_cannot_be_recorded_are_counted_on() {
    let nowhere = "postgres://w:secret@127.0.0.1:1/audit".to_owned().into();
    let denials = Denials::default();
    denials.count(denial("mallory"));
    denials.count(denial("alice"));
    denials.record(&Recorder::To(AuditLog::new(&transport::Transport::plain(), &nowhere).unwrap())).await.unwrap_err();
    assert_eq!(denials.waiting(), 2);
}
