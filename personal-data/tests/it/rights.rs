//! What each role tries beyond its part.

use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::support::Keys;

const READ: &str = "select * from personal.keys_of('{1}')";
const OFFER: &str = "select personal.offer('{2}', '{v2:first:AAAA:AAAA}')";
const ERASE: &str = "select personal.erase(3)";
const REPLACE: &str = "select personal.replace(1, 'a', 'b')";
const OTHERWISE: &str = "select * from personal.wrapped_otherwise('first', null)";

/// What nobody may: see all keys, or change the table past its functions.
const NOBODYS: [&str; 8] = [
    "select * from personal.keys",
    "insert into personal.keys (person, wrapped) values (99, 'x')",
    "update personal.keys set wrapped = 'x'",
    "delete from personal.keys",
    "truncate personal.keys",
    "copy personal.keys to stdout",
    "create table personal.mine (id int)",
    "create or replace function personal.keys_of(bigint[]) returns int language sql as 'select 1'",
];

#[tokio::test]
async fn each_role_does_its_part_and_no_more() {
    let keys = Keys::create().await;
    for (role, may) in [("k", &[READ, OFFER][..]), ("r", &[READ]), ("e", &[READ, ERASE, REPLACE, OTHERWISE])] {
        let mut session = keys.options(role).connect().await.unwrap();
        for sql in [READ, OFFER, ERASE, REPLACE, OTHERWISE].into_iter().chain(NOBODYS) {
            let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut session).await;
            match done {
                Ok(_) => assert!(may.contains(&sql), "{role} may: {sql}"),
                Err(error) => {
                    assert!(!may.contains(&sql), "{role} may not: {sql}: {error}");
                    let code = error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
                    assert!(matches!(code.as_deref(), Some("42501")), "{sql}: {error}");
                }
            }
        }
        session.close().await.unwrap();
    }
    // The twin: with the right, the same statement works.
    keys.sql("grant usage on schema personal to public").await;
    keys.sql("grant select on personal.keys to public").await;
    let mut session = keys.options("r").connect().await.unwrap();
    sqlx::raw_sql(NOBODYS[0]).execute(&mut session).await.unwrap();
    session.close().await.unwrap();
    keys.drop().await;
}

/// An offer neither replaces a key nor revives an erased person.
#[tokio::test]
async fn an_offer_never_replaces_anything() {
    let keys = Keys::create().await;
    let mut keeper = keys.options("k").connect().await.unwrap();
    let offer = async |session: &mut sqlx::PgConnection, text: &str| {
        sqlx::query("select personal.offer('{1,2}', array[$1, $1])").bind(text).execute(session).await.unwrap();
    };
    offer(&mut keeper, "v2:first:AAAA:AAAA").await;
    keys.keeper_as("e").erase(2).await.unwrap();
    offer(&mut keeper, "v2:first:BBBB:BBBB").await;
    let rows: Vec<(i64, Option<String>)> = sqlx::query_as("select person, wrapped from personal.keys order by 1")
        .fetch_all(&keys.superuser)
        .await
        .unwrap();
    assert_eq!(rows, [(1, Some("v2:first:AAAA:AAAA".to_owned())), (2, None)]);
    keeper.close().await.unwrap();
    keys.drop().await;
}
