#!/bin/sh
# Makes what each program of docker-compose.secure.yml is known by, each in a volume of its own. It is the only one that sees the
# authority's key, and has no network. Running it again renews the certificates; keys and passwords stay.
set -eu
umask 077

scenarios certs --out /certs --hours "${CERTIFICATE_HOURS:-24}"

once() { # file command...
    file=$1
    shift
    [ -s "$file" ] || { "$@" >"$file.new" && mv "$file.new" "$file"; }
}
random() { head -c 32 /dev/urandom | base64; }

# Derived order ids: the order service and the runner compute them.
once /certs/order/order-id-key random
cp /certs/order/order-id-key /certs/operator/

# The mail server cannot ask for certificates: the notification service has a password.
once /certs/notification/smtp-password random
printf 'notification:%s\n' "$(cat /certs/notification/smtp-password)" >/certs/mail/smtp-users

# A development issuer in place of an identity provider, and its public keys.
scenarios token --user 1 --key /issuer/key.pem >/dev/null 2>&1
cp /issuer/*.json /jwks/jwks.json

# The key that signs the heads of the audit log.
[ -s /certs/operator/audit-public-keys ] || scenarios audit key /certs/operator/audit-signing-key >/certs/operator/audit-public-keys

# The keyring that wraps the keys of persons.
scenarios personal key /personal/keyring first >/dev/null

# The users of the programs' image, of Kafka's and of the mail server; PostgreSQL begins as root and takes a copy.
chown -R 10001:10001 /certs/*/ /issuer /jwks /keys /personal
chown -R 1000:1000 /certs/kafka
chown -R 65534:65534 /certs/mail
chown -R 0:0 /certs/postgres
