//! What a superuser of the database does to the log, and the row that verifying names. Beside each attack stands its twin: the
//! same misuse with the lock taken out, which goes unnoticed.

use audit_log::verify::{Finding, Trusted};

use crate::support::Log;

/// Computes the hashes of all rows from `$1` on anew, and the log's note of its end, as a superuser who has read the migration
/// would.
const REHASH: &str = "
    do $$
    declare r record; prev bytea; d bytea; h bytea;
    begin
        select genesis into prev from audit.chain;
        for r in select * from audit.entries order by seq loop
            d := sha256(int8send((extract(epoch from r.at) * 1000000)::bigint)) || sha256(convert_to(r.role, 'UTF8'))
                || sha256(convert_to(r.actor, 'UTF8')) || sha256(convert_to(r.known, 'UTF8'))
                || sha256(convert_to(r.action, 'UTF8')) || sha256(convert_to(r.object_kind, 'UTF8'))
                || sha256(convert_to(r.object_id, 'UTF8')) || sha256(convert_to(r.reason, 'UTF8'))
                || sha256(convert_to(r.outcome, 'UTF8')) || sha256(uuid_send(r.act)) || sha256(convert_to(r.details, 'UTF8'));
            h := sha256(convert_to('audit-log entry 1', 'UTF8') || prev || int8send(r.seq) || d);
            update audit.entries set previous = prev, digests = d, hash = h where seq = r.seq;
            update audit.chain set last_seq = r.seq, last_hash = h;
            prev := h;
        end loop;
    end $$";

/// What a table without hashes could show: numbers without gaps, and the last one.
async fn an_unchained_table_looks_sound(log: &Log) -> bool {
    let query = "select count(*) = max(seq) and max(seq) = (select last_seq from audit.chain) from audit.entries";
    sqlx::query_scalar(query).fetch_one(&log.superuser).await.unwrap()
}

#[tokio::test]
async fn an_untouched_log_is_sound_and_covered_to_its_end() {
    let log = Log::create().await;
    let empty = log.verify_trusting(&Trusted { may_be_empty: true, ..log.trusted() }).await;
    assert!(empty.holds() && empty.entries == 0, "{empty:?}");
    log.acts(4).await;
    let verdict = log.verify().await;
    assert_eq!((verdict.findings.as_slice(), verdict.entries), (&[][..], 8));
    assert_eq!((verdict.covered, verdict.uncovered, verdict.open.len()), (Some(8), 0, 0));
    log.drop().await;
}

#[tokio::test]
async fn a_changed_field_is_named_with_its_row() {
    let log = Log::create().await;
    log.acts(4).await;
    let changes = [
        ("reason = 'never mind'", "reason"),
        ("actor = 'mallory'", "actor"),
        ("known = 'token'", "proof of the actor"),
        ("role = 'postgres'", "role"),
        ("object_id = '8'", "object"),
        ("details = '{ }'", "details"),
        ("at = at + interval '1 microsecond'", "time"),
        ("act = gen_random_uuid()", "act"),
        ("outcome = 'noted'", "outcome"),
        ("action = 'parked.resolve'", "action"),
        ("object_kind = 'call'", "kind of object"),
    ];
    for (change, field) in changes {
        log.tamper("create table kept as select * from audit.entries where seq = 5").await;
        log.tamper(&format!("update audit.entries set {change} where seq = 5")).await;
        let changed = Finding::Changed { seq: 5, fields: vec![field] };
        assert_eq!(log.findings().await, [changed], "{change}");
        assert!(an_unchained_table_looks_sound(&log).await);
        log.tamper(
            "delete from audit.entries where seq = 5; insert into audit.entries select * from kept; drop table kept",
        )
        .await;
    }
    assert_eq!(log.findings().await, []);
    log.drop().await;
}

#[tokio::test]
async fn a_time_beyond_all_clocks_and_a_hash_of_another_length_are_named_too() {
    let log = Log::create().await;
    log.acts(3).await;
    log.tamper("update audit.entries set at = 'infinity' where seq = 2").await;
    log.tamper("alter table audit.entries drop constraint entries_hash_check").await;
    log.tamper("update audit.entries set hash = 'short' where seq = 4").await;
    let expected = [Finding::Changed { seq: 2, fields: vec!["time"] }, Finding::Rehashed { seq: 4 }];
    assert_eq!(log.findings().await, expected);
    log.drop().await;
}

#[tokio::test]
async fn a_row_taken_from_the_middle_is_named() {
    let log = Log::create().await;
    log.acts(4).await;
    log.tamper("delete from audit.entries where seq in (3, 6, 7)").await;
    let expected = [Finding::Taken { first: 3, last: 3 }, Finding::Taken { first: 6, last: 7 }];
    assert_eq!(log.findings().await, expected);
    log.drop().await;
}

#[tokio::test]
async fn rows_that_changed_places_are_named_with_the_places_that_they_had() {
    let log = Log::create().await;
    log.acts(4).await;
    log.tamper(
        "update audit.entries set seq = -3 where seq = 3; update audit.entries set seq = 3 where seq = 6;
                update audit.entries set seq = 6 where seq = -3",
    )
    .await;
    assert!(an_unchained_table_looks_sound(&log).await);
    let expected = [Finding::Moved { seq: 3, from: 6 }, Finding::Moved { seq: 6, from: 3 }];
    assert_eq!(log.findings().await, expected);
    log.drop().await;
}

#[tokio::test]
async fn rows_renumbered_over_a_gap_are_named_each() {
    let log = Log::create().await;
    log.acts(4).await;
    // Row 3 vanishes without a gap.
    log.tamper(
        "delete from audit.entries where seq = 3; update audit.entries set seq = seq - 1 where seq > 3;
                update audit.chain set last_seq = 7",
    )
    .await;
    assert!(an_unchained_table_looks_sound(&log).await);
    let findings = log.findings().await;
    for seq in 3..=7 {
        assert!(findings.contains(&Finding::Moved { seq, from: seq + 1 }), "{findings:?}");
    }
    let cut = findings.iter().any(|finding| matches!(finding, Finding::CutOff { end: 7, known: 8, .. }));
    assert!(cut, "{findings:?}");
    log.drop().await;
}

#[tokio::test]
async fn a_row_put_between_others_is_named() {
    let log = Log::create().await;
    log.acts(3).await;
    log.tamper("update audit.entries set seq = seq + 100 where seq > 3; update audit.entries set seq = seq - 99 where seq > 100;
                insert into audit.entries select 4, at, role, 'nobody', known, action, object_kind, object_id, reason, 'noted',
                    gen_random_uuid(), details, previous, digests, hash from audit.entries where seq = 3;
                update audit.chain set last_seq = 7").await;
    assert!(an_unchained_table_looks_sound(&log).await);
    let findings = log.findings().await;
    let put = findings
        .iter()
        .any(|finding| matches!(finding, Finding::Changed { seq: 4, fields } if fields.contains(&"actor")));
    assert!(put && findings.contains(&Finding::Moved { seq: 7, from: 6 }), "{findings:?}");
    log.drop().await;
}

#[tokio::test]
async fn a_tail_that_was_cut_off_is_missed_by_the_heads_and_only_by_them() {
    let log = Log::create().await;
    log.acts(4).await;
    log.tamper(
        "delete from audit.entries where seq > 5;
                update audit.chain set last_seq = 5, last_hash = (select hash from audit.entries where seq = 5)",
    )
    .await;
    assert!(log.verify_without_heads().await.holds(), "the twin: the rows alone look sound");
    let findings = log.findings().await;
    assert!(matches!(findings[..], [Finding::CutOff { end: 5, known: 8, .. }]), "{findings:?}");
    assert!(findings[0].to_string().contains("cut off after row 5: a signed head knows rows 6 to 8"));
    log.tamper("truncate audit.entries; update audit.chain set last_seq = 0, last_hash = genesis").await;
    assert_eq!(log.verify_without_heads().await.findings, [Finding::Empty], "the twin: nobody knows of entries");
    let findings = log.findings().await;
    assert!(matches!(findings[..], [Finding::CutOff { end: 0, known: 8, .. }]), "{findings:?}");
    log.drop().await;
}

#[tokio::test]
async fn a_log_written_anew_from_a_row_on_is_named_by_that_row() {
    let log = Log::create().await;
    log.acts(4).await;
    log.tamper("update audit.entries set actor = 'nobody' where seq = 5").await;
    log.tamper(REHASH).await;
    assert!(log.verify_without_heads().await.holds(), "the twin: the rows alone look sound");
    let findings = log.findings().await;
    assert!(matches!(findings[..], [Finding::Rewritten { first: 5, known: 5, .. }]), "{findings:?}");
    // Entries after it, well signed, do not heal it.
    log.acts(1).await;
    let verdict = log.verify().await;
    assert!(matches!(verdict.findings[..], [Finding::Rewritten { first: 5, known: 5, .. }]), "{verdict:?}");
    assert_eq!(verdict.covered, Some(4));
    log.drop().await;
}

#[tokio::test]
async fn a_row_taken_with_all_later_ones_renumbered_and_hashed_anew_is_named() {
    let log = Log::create().await;
    log.acts(4).await;
    log.tamper("delete from audit.entries where seq = 3; update audit.entries set seq = seq - 1 where seq > 3").await;
    log.tamper(REHASH).await;
    assert!(log.verify_without_heads().await.holds(), "the twin");
    let findings = log.findings().await;
    let rewritten = matches!(findings[0], Finding::Rewritten { first: 3, known: 3, .. });
    assert!(rewritten && matches!(findings[1], Finding::CutOff { end: 7, known: 8, .. }), "{findings:?}");
    log.drop().await;
}

#[tokio::test]
async fn an_end_that_the_log_itself_disowns_is_named_without_heads() {
    let log = Log::create().await;
    log.acts(2).await;
    log.tamper("delete from audit.entries where seq = 4").await;
    let findings = log.verify_without_heads().await.findings;
    assert!(matches!(findings[..], [Finding::CutOff { end: 3, known: 4, .. }]), "{findings:?}");
    log.drop().await;
}

#[tokio::test]
async fn a_number_that_occurs_twice_and_one_that_is_never_given_are_named() {
    let log = Log::create().await;
    log.acts(2).await;
    log.tamper(
        "alter table audit.entries drop constraint entries_pkey; drop index audit.entries_begin, audit.entries_end;
         insert into audit.entries select * from audit.entries where seq = 3",
    )
    .await;
    assert_eq!(log.findings().await, [Finding::Foreign { seq: 3 }]);
    log.tamper("update audit.entries set seq = -1 where ctid = (select max(ctid) from audit.entries where seq = 3)")
        .await;
    assert_eq!(log.findings().await, [Finding::Foreign { seq: -1 }]);
    log.drop().await;
}
