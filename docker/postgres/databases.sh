#!/usr/bin/env bash
# Runs once, when the volume is empty: a database and a role for each service, closed to the others.
set -euo pipefail

sql() { psql --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres "$@"; }

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
done
