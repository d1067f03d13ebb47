#!/usr/bin/env bash
# Runs once, when the volume is empty: a database and a role for each service, closed to the others.
set -euo pipefail

sql() { psql --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres "$@"; }

# Large objects are bound by no right on a table, so any role could fill the disk with them. The databases below are made from this one.
sql --dbname template1 <<'SQL'
revoke execute on function lo_creat(int), lo_create(oid), lo_from_bytea(oid, bytea), lo_put(oid, bigint, bytea), lo_open(oid, int),
    lowrite(int, bytea) from public;
SQL

sql <<'SQL'
revoke connect on database postgres from public;
revoke connect on database template1 from public;
SQL

for database in orders accounts payments inventory shipping entitlements notifications; do
    # psql takes the password from the environment itself: on a command line everybody could read it.
    sql --set service="$database" --set variable="DATABASE_PASSWORD_${database^^}" <<'SQL'
\getenv password :variable
create role :service login password :'password';
create database :service owner :service;
revoke all on database :service from public;
SQL
    # Where their passwords are set: roles that have only a part of the owner's rights (docs/security/postgres.md).
    for kind in app relay auditor operator; do
        variable="DATABASE_PASSWORD_${database^^}_${kind^^}"
        [ -n "${!variable:-}" ] || continue
        sql --set database="$database" --set role="${database}_$kind" --set variable="$variable" <<'SQL'
\getenv password :variable
create role :role login password :'password';
grant connect on database :database to :role;
SQL
    done
done
