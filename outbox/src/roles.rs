//! Database roles that may each do only their own part.
//!
//! By convention the roles of a database `D` are `D_app` (the service), `D_relay`, `D_auditor` (reads) and `D_operator`
//! (repairs). `D_owner`, or whatever the owner of the tables is called, migrates and grants. Without such roles nothing is
//! granted, and the one role that owns everything works as before.
//!
//! Rights are written as SQL beside the tables that they are about, with `{app}`, `{relay}`, `{auditor}` and `{operator}` in
//! place of names. Those on the outbox's tables are here: [`GRANTS`].

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};

/// Rights on this crate's tables.
pub const GRANTS: &str = include_str!("../grants.sql");

/// Kinds of roles, as rights and the ends of names spell them.
pub const KINDS: [&str; 4] = ["app", "relay", "auditor", "operator"];

/// Takes every right away from the roles of a database, and from everybody, on what the current role owns in its schema;
/// partitions included, which are reached through their table alone.
const CLOSE: &str = "
do $$
declare
    roles constant text := $roles${all}$roles$;
    everybody constant text := 'public, ' || roles;
    own record;
begin
    -- Others, such as a change data capture, go on finding the tables that they have rights on.
    execute format('revoke create on schema %I from public', current_schema());
    execute format('revoke all on schema %I from %s', current_schema(), roles);
    for own in
        select oid::regclass as name, case relkind when 'S' then 'sequence' else 'table' end as kind from pg_class
        where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S', 'f')
          and pg_has_role(relowner, 'usage') and (not relispartition or relacl is not null)
    loop
        execute format('revoke all on %s %s from %s', own.kind, own.name, everybody);
    end loop;
    for own in
        select oid::regprocedure as name from pg_proc
        where pronamespace = current_schema()::regnamespace and pg_has_role(proowner, 'usage')
    loop
        execute format('revoke all on routine %s from %s', own.name, everybody);
    end loop;
    execute format('grant usage on schema %I to %s', current_schema(), roles);
end $$";

/// Takes all rights from the roles of a database and gives them those of `grants`, so that no others are left. `name` is the
/// first part of the roles' names; by default it is the database's. Returns whether there are such roles. Runs in the
/// caller's transaction: until it commits, all rights are as they were.
///
/// # Errors
/// If the current role does not own the tables, or a statement is wrong.
pub async fn grant(db: &mut PgConnection, name: Option<&str>, grants: &[&str]) -> sqlx::Result<bool> {
    let roles = Roles::present(db, name).await?;
    let Some(all) = roles.all() else { return Ok(false) };
    // Two who grant at the same time would find each other's rows changed.
    sqlx::query("select pg_advisory_xact_lock(hashtext('outbox grants'))").execute(&mut *db).await?;
    sqlx::raw_sql(AssertSqlSafe(CLOSE.replace("{all}", &all))).execute(&mut *db).await?;
    for statement in grants.iter().flat_map(|grants| statements(grants)) {
        if let Some(statement) = roles.fill_in(&statement) {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *db).await?;
        }
    }
    Ok(true)
}

/// Quoted names of the roles that a database has, by kind.
struct Roles(BTreeMap<&'static str, String>);

impl Roles {
    async fn present(db: &mut PgConnection, name: Option<&str>) -> sqlx::Result<Self> {
        // The current role would take its own rights away.
        let found: Vec<(String, String)> = sqlx::query_as(
            "select kind, quote_ident(rolname) from unnest($2::text[]) kind
             join pg_roles on rolname = coalesce($1, current_database()) || '_' || kind
             where rolname <> current_user",
        )
        .bind(name)
        .bind(KINDS.as_slice())
        .fetch_all(db)
        .await?;
        let quoted = |kind: &str| found.iter().find(|(known, _)| known == kind).map(|(_, role)| role.clone());
        Ok(Roles(KINDS.into_iter().filter_map(|kind| Some((kind, quoted(kind)?))).collect()))
    }

    /// All of them, separated by commas; none if there are none.
    fn all(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.values().cloned().collect::<Vec<_>>().join(", "))
    }

    /// The statement with its roles' names; none if it is about one that there is not.
    fn fill_in(&self, statement: &str) -> Option<String> {
        let filled = self
            .0
            .iter()
            .fold(statement.to_owned(), |filled, (kind, role)| filled.replace(&format!("{{{kind}}}"), role));
        (!KINDS.iter().any(|kind| filled.contains(&format!("{{{kind}}}")))).then_some(filled)
    }
}

/// The statements of some SQL that has neither strings nor bodies, without its comments.
fn statements(sql: &str) -> Vec<String> {
    let code: Vec<&str> = sql.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code)).collect();
    let code = code.join("\n");
    code.split(';').map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_of_roles_that_are_not_there_are_left_out() {
        let roles = Roles([("app", "\"my-shop_app\"".to_owned())].into());
        assert_eq!(roles.all().as_deref(), Some("\"my-shop_app\""));
        assert_eq!(
            roles.fill_in("grant select on a to {app}").as_deref(),
            Some("grant select on a to \"my-shop_app\"")
        );
        assert_eq!(roles.fill_in("grant select on a to {relay}"), None);
        assert_eq!(Roles(BTreeMap::new()).all(), None);
    }

    #[test]
    fn comments_are_no_statements() {
        assert_eq!(statements("-- a; b\ngrant a\n  to b; -- c;\n\n;"), ["grant a\n  to b"]);
        assert!(statements(GRANTS).iter().all(|statement| statement.starts_with("grant ")));
    }
}
