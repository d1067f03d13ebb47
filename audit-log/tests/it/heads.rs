//! Signed heads: late ones, forged ones, and what they stand for.

use audit_log::{
    AuditLog, Hash, Head, Recorder, SignedHead, SigningKey, Topic,
    verify::{Finding, Trusted},
};
use outbox::kafka::Cluster;
use transport::Transport;

use crate::support::{Log, act};

/// The true head of the log's end.
async fn end(log: &Log) -> Head {
    log.verify_without_heads().await.end.unwrap()
}

#[tokio::test]
async fn a_head_that_could_not_be_announced_is_announced_later() {
    let log = Log::create().await;
    let nowhere = Topic::of(&Cluster::at("127.0.0.1:1", &Transport::plain()));
    let cut_off = log.silent().announcing(log.key.clone(), nowhere);
    Recorder::To(cut_off).note(&act(1)).await.unwrap();
    let verdict = log.verify().await;
    assert_eq!((verdict.covered, verdict.uncovered), (None, 1));
    assert_eq!(verdict.findings, [Finding::NoHeads]);

    let connected: AuditLog = log.silent().announcing(log.key.clone(), log.topic.clone());
    assert_eq!(connected.announce_due().await.unwrap(), Some(1));
    assert_eq!(connected.announce_due().await.unwrap(), None, "nothing is due any more");
    let verdict = log.verify().await;
    assert!(verdict.holds() && verdict.covered == Some(1) && verdict.uncovered == 0, "{verdict:?}");
    // One without a key leaves a tail that is covered by the next head.
    Recorder::To(log.silent()).note(&act(2)).await.unwrap();
    let verdict = log.verify().await;
    assert!(verdict.holds() && verdict.covered == Some(1) && verdict.uncovered == 1, "{verdict:?}");
    log.acts(1).await;
    assert_eq!(log.verify().await.covered, Some(4));
    log.drop().await;
}

/// A writer who says that the head of its entry is on the topic.
#[tokio::test]
async fn a_head_that_a_writer_keeps_back_is_announced_all_the_same() {
    let log = Log::create().await;
    log.acts(1).await;
    Recorder::To(log.silent()).note(&act(2)).await.unwrap();
    let mut writer = log.writer().await;
    sqlx::query("select audit.head_published(9000000000000000000)").execute(&mut writer).await.unwrap();
    assert_eq!((log.verify().await.covered, log.verify().await.uncovered), (Some(2), 1));
    let announcing: AuditLog = log.silent().announcing(log.key.clone(), log.topic.clone());
    assert_eq!(announcing.announce_due().await.unwrap(), None, "the twin: the writer is believed");
    assert_eq!(announcing.announce_end().await.unwrap(), Some(3));
    assert_eq!(log.verify().await.covered, Some(3));
    drop(writer);
    log.drop().await;
}

/// Compaction keeps one record of each key. Heads have none; of those with one, as earlier versions wrote them, a missing one is
/// counted.
#[tokio::test]
async fn heads_have_no_key_that_would_let_them_be_compacted_away() {
    let log = Log::create().await;
    log.acts(2).await;
    assert_eq!(log.keys_of_heads().await, [None, None, None, None]);
    assert_eq!(log.topic.read().await.unwrap().lost, 0);
    log.drop().await;
}

#[tokio::test]
async fn an_emptied_log_with_an_emptied_topic_is_named() {
    let log = Log::create().await;
    let new = Trusted { may_be_empty: true, ..log.trusted() };
    assert!(log.verify_trusting(&new).await.holds(), "it is new");
    log.acts(2).await;
    log.tamper(
        "truncate audit.entries; update audit.chain set last_seq = 0, last_hash = genesis;
                update audit.publication set seq = 0",
    )
    .await;
    let emptied = Log::topic(&format!("emptied.{}", uuid::Uuid::new_v4())).await.read().await.unwrap();
    let findings = log.reader().verify(Some(&emptied), &log.trusted()).await.unwrap().findings;
    assert_eq!(findings, [Finding::Empty]);
    let findings = log.reader().verify(Some(&emptied), &new).await.unwrap().findings;
    assert_eq!(findings, [], "the twin: who says that it is new believes it");
    log.drop().await;
}

#[tokio::test]
async fn heads_that_are_forged_are_named_by_their_place() {
    let log = Log::create().await;
    log.acts(1).await;
    let end = end(&log).await;
    let stranger = SigningKey::generate();
    log.topic.announce(&end.sign(&stranger)).await.unwrap();
    let claimed = SignedHead { key: log.key.public().to_string(), ..end.sign(&stranger) };
    log.topic.announce(&claimed).await.unwrap();
    let beyond = SignedHead { head: Head { seq: 99, ..end }, ..end.sign(&log.key) };
    log.topic.announce(&beyond).await.unwrap();
    let findings = log.findings().await;
    assert_eq!(findings.len(), 3, "{findings:?}");
    assert!(
        findings
            .iter()
            .any(|finding| matches!(finding, Finding::UnknownKey { key, .. } if *key == stranger.public().to_string()))
    );
    assert!(findings.iter().any(|finding| matches!(finding, Finding::BadSignature { seq: 2, .. })));
    assert!(findings.iter().any(|finding| matches!(finding, Finding::BadSignature { seq: 99, .. })));
    // The twin: a verifier that trusts every key believes the stranger.
    let credulous = Trusted { keys: vec![log.key.public(), stranger.public()], ..Trusted::default() };
    let findings = log.verify_trusting(&credulous).await.findings;
    assert!(!findings.iter().any(|finding| matches!(finding, Finding::UnknownKey { .. })), "{findings:?}");
    log.drop().await;
}

#[tokio::test]
async fn two_heads_of_one_row_are_a_fork_and_a_head_of_another_log_is_named() {
    let log = Log::create().await;
    log.acts(2).await;
    let end = end(&log).await;
    log.topic.announce(&Head { hash: Hash::of(b"another world"), ..end }.sign(&log.key)).await.unwrap();
    log.topic.announce(&Head { genesis: Hash::of(b"another log"), ..end }.sign(&log.key)).await.unwrap();
    let findings = log.findings().await;
    assert!(findings.contains(&Finding::Forked { seq: 4 }), "{findings:?}");
    assert!(findings.iter().any(|finding| matches!(finding, Finding::OtherLog { .. })), "{findings:?}");
    assert!(
        findings.iter().any(|finding| matches!(finding, Finding::Rewritten { first: 4, known: 4, .. })),
        "{findings:?}"
    );
    log.drop().await;
}

#[tokio::test]
async fn a_superuser_who_owns_the_topic_too_is_caught_by_what_a_verifier_remembers() {
    let log = Log::create().await;
    log.acts(3).await;
    let remembered = Some(end(&log).await);
    // All of it anew: other rows, a topic without the old heads, and heads by whoever holds the key.
    log.tamper(
        "delete from audit.entries where seq > 4;
                update audit.chain set last_seq = 4, last_hash = (select hash from audit.entries where seq = 4);
                update audit.publication set seq = 0",
    )
    .await;
    let fresh = Log::topic(&format!("anew.{}", uuid::Uuid::new_v4())).await;
    let writer = log.silent().announcing(log.key.clone(), fresh.clone());
    let verify = async |remembered| {
        let announced = fresh.read().await.unwrap();
        log.reader().verify(Some(&announced), &Trusted { remembered, ..log.trusted() }).await.unwrap().findings
    };
    assert_eq!(writer.announce_due().await.unwrap(), Some(4));
    assert_eq!(verify(None).await, [], "the twin: nothing that is left knows better");
    let findings = verify(remembered).await;
    assert!(matches!(findings[..], [Finding::CutOff { end: 4, known: 6, .. }]), "{findings:?}");
    log.drop().await;
}
