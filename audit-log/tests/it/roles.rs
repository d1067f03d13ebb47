//! What the role that writes tries beyond writing.

use audit_log::{Outcome, Recorder};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::support::{Log, act};

const APPEND: &str =
    "select new_seq from audit.append($1, 'ophelia', 'certificate', 'parked.retry', 'event', '1', $2, $3, '{}')";

async fn refused(writer: &mut PgConnection, sql: &str) -> String {
    let refused = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(writer).await;
    refused.expect_err(sql).to_string()
}

#[tokio::test]
async fn a_writer_can_neither_read_nor_change_nor_take_nor_insert() {
    let log = Log::create().await;
    log.acts(2).await;
    let mut writer = log.writer().await;
    for sql in [
        "select * from audit.entries",
        "select * from audit.chain",
        "update audit.entries set reason = ''",
        "delete from audit.entries",
        "truncate audit.entries",
        "insert into audit.entries select * from audit.entries",
        "update audit.chain set last_seq = 0",
        "update audit.publication set seq = 0",
        "drop table audit.entries",
        "alter table audit.entries disable trigger all",
        "create or replace function audit.head_due() returns int language sql as 'select 1'",
        "drop function audit.head_published",
        "copy audit.entries to stdout",
        "select last_seq from audit.chain for update",
        "set role audit_owner_that_is_not",
        "create table audit.mine (id int)",
    ] {
        let error = refused(&mut writer, sql).await;
        let known = ["permission denied", "must be owner", "does not exist"];
        assert!(known.iter().any(|word| error.contains(word)), "{sql}: {error}");
    }
    // The twin: with the right that it lacks, the same statement works, and only the hashes show it.
    log.tamper("grant usage on schema audit to public; grant update, select on audit.entries to public").await;
    sqlx::query("update audit.entries set reason = '' where seq = 2").execute(&mut writer).await.unwrap();
    assert_eq!(log.findings().await.len(), 1);
    writer.close().await.unwrap();
    log.drop().await;
}

#[tokio::test]
async fn a_reader_can_only_read() {
    let log = Log::create().await;
    log.acts(1).await;
    assert_eq!(log.reader().list(&audit_log::Wanted { latest: 10, ..Default::default() }).await.unwrap().len(), 2);
    let rights: Vec<String> = sqlx::query_scalar(
        "select privilege_type::text from information_schema.role_table_grants
         where table_schema = 'audit' and table_name = 'entries' and grantee like 'audit\\_%\\_r' and grantee in
            (select rolname from pg_roles where pg_has_role(rolname, rolname, 'usage')) and grantee = current_database() || '_r'",
    )
    .fetch_all(&log.superuser)
    .await
    .unwrap();
    assert_eq!(rights, ["SELECT"]);
    log.drop().await;
}

#[tokio::test]
async fn a_writer_chooses_neither_number_nor_time_nor_role_nor_previous_hash() {
    let log = Log::create().await;
    let mut writer = log.writer().await;
    let arguments = "uuid, text, text, text, text, text, text, text, text";
    let taken: String = sqlx::query_scalar("select pg_get_function_identity_arguments('audit.append'::regproc)")
        .fetch_one(&log.superuser)
        .await
        .unwrap();
    let ins: Vec<&str> = taken.split(", ").filter(|argument| !argument.starts_with("OUT ")).collect();
    assert_eq!(ins.len(), arguments.split(", ").count(), "{taken}");
    let forged =
        "select audit.append(gen_random_uuid(), 'o', 'token', 'a', 'k', 'i', 'r', 'noted', '{}', 7, sha256('x'))";
    assert!(refused(&mut writer, forged).await.contains("does not exist"));
    // A search path of its own changes nothing about what the function calls.
    sqlx::raw_sql("create temp table chain (last_seq bigint); set search_path = pg_temp, public")
        .execute(&mut writer)
        .await
        .unwrap();
    let seq: i64 =
        sqlx::query_scalar(APPEND).bind(Uuid::new_v4()).bind("r").bind("noted").fetch_one(&mut writer).await.unwrap();
    assert_eq!(seq, 1);
    let role: String = sqlx::query_scalar("select role from audit.entries").fetch_one(&log.superuser).await.unwrap();
    assert!(role.ends_with("_w"), "the log says which role wrote it: {role}");
    writer.close().await.unwrap();
    log.drop().await;
}

#[tokio::test]
async fn only_an_act_that_began_can_end_and_only_once() {
    let log = Log::create().await;
    let mut writer = log.writer().await;
    let id = Uuid::new_v4();
    let mut append = async |outcome: &str| {
        sqlx::query(APPEND)
            .bind(id)
            .bind("r")
            .bind(outcome)
            .execute(&mut writer)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert!(append("done").await.unwrap_err().contains("no act"));
    append("began").await.unwrap();
    assert!(append("began").await.unwrap_err().contains("duplicate key"));
    append("failed").await.unwrap();
    assert!(append("done").await.unwrap_err().contains("duplicate key"));
    assert_eq!(log.verify_without_heads().await.entries, 2, "what was refused leaves no gap");
    assert!(log.verify_without_heads().await.holds());
    log.drop().await;
}

#[tokio::test]
async fn an_entry_of_a_megabyte_is_refused_by_the_table_and_cut_by_the_library() {
    let log = Log::create().await;
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n12  forged  root".repeat(30_000);
    let mut writer = log.writer().await;
    let direct = sqlx::query(APPEND).bind(Uuid::new_v4()).bind(&hostile).bind("noted").execute(&mut writer).await;
    assert!(direct.unwrap_err().to_string().contains("entries_reason_check"));
    let Recorder::To(_) = log.recorder() else { unreachable!() };
    log.recorder().note(&act(1).because(hostile.clone())).await.unwrap();
    let entries = log.reader().list(&audit_log::Wanted { latest: 10, ..Default::default() }).await.unwrap();
    assert_eq!(entries[0].outcome, Outcome::Noted.as_str());
    assert!(entries[0].reason.len() <= 4000 && entries[0].reason.ends_with("bytes in all)"));
    let line = entries[0].to_string();
    assert!(!line.contains(|c: char| c.is_control()), "it is shown on one line: {line:?}");
    assert!(log.verify().await.holds());
    writer.close().await.unwrap();
    log.drop().await;
}

#[tokio::test]
async fn an_owner_of_the_schemas_name_can_prepare_the_log_again() {
    let log = Log::create().await;
    log.acts(2).await;
    log.prepare_as_audit().await.unwrap();
    assert!(log.verify().await.findings.is_empty());
}
