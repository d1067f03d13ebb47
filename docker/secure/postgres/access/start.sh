#!/usr/bin/env bash
# Gives PostgreSQL its own copy of the certificates, which it wants to own, and starts it behind TLS 1.3.
set -euo pipefail

install -d -o postgres -g postgres -m 0700 /run/server-tls
install -o postgres -g postgres -m 0600 /run/tls/ca.crt /run/tls/tls.crt /run/tls/tls.key /run/server-tls
exec docker-entrypoint.sh "$@" \
    -cssl=on -cssl_min_protocol_version=TLSv1.3 \
    -cssl_ca_file=/run/server-tls/ca.crt -cssl_cert_file=/run/server-tls/tls.crt -cssl_key_file=/run/server-tls/tls.key \
    -chba_file=/etc/saga/pg_hba.conf -cident_file=/etc/saga/pg_ident.conf
