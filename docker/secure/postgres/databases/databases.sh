#!/usr/bin/env bash
# Runs once, when the volume is empty: a database for each service, with a role for each purpose (docs/security/postgres.md), and the
# audit log's and that of personal keys. No role has a password: certificates open them.
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
create role audit login;
create role audit_writer login;
create role audit_reader login;
create role audit_order login in role audit_writer;
create database audit owner audit;
revoke all on database audit from public;
grant connect on database audit to audit_writer, audit_reader;
create role personal login;
create role personal_keeper login;
create role personal_reader login;
create role personal_eraser login;
create database personal owner personal;
revoke all on database personal from public;
grant connect on database personal to personal_keeper, personal_reader, personal_eraser;
SQL

for database in orders accounts payments inventory shipping entitlements notifications; do
    sql --set database="$database" --set owner="${database}_owner" <<'SQL'
create role :owner login;
create database :database owner :owner;
revoke all on database :database from public;
SQL
    for kind in app relay auditor operator; do
        sql --set database="$database" --set role="${database}_$kind" <<'SQL'
create role :role login;
grant connect on database :database to :role;
SQL
    done
done
