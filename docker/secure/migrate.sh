#!/bin/sh
# As the databases' owner, whom no program that stays up can be: makes the tables and grants each role its rights.
set -eu

# Known to nobody and used for nothing: a migration seals nothing and derives no order id, but the programs ask for their keys.
PAYMENT_DETAILS_KEY=$(head -c 32 /dev/urandom | base64)
ORDER_ID_KEY=$(head -c 32 /dev/urandom | base64)
export PAYMENT_DETAILS_KEY ORDER_ID_KEY
scenarios personal key "$PERSONAL_KEYRING" unused >/dev/null

for pair in order=orders account=accounts payment=payments inventory=inventory shipping=shipping entitlement=entitlements \
    notification=notifications; do
    database=${pair#*=}
    DATABASE_URL="postgres://${database}_owner@postgres:5432/$database?sslmode=verify-full" "${pair%=*}" --migrate-only
done
scenarios audit prepare
scenarios personal prepare
