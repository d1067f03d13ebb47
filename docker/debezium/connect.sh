#!/usr/bin/env bash
# Has Debezium publish the outboxes: a connector for each service. Again: nothing changes.
#
#   DEBEZIUM_PASSWORD=… docker/debezium/connect.sh http://connect:8083 postgres 5432
set -euo pipefail
cd "$(dirname "$0")"
connect=$1 host=$2 port=$3

for pair in order:orders account:accounts payment:payments inventory:inventory shipping:shipping \
    entitlement:entitlements notification:notifications; do
    service=${pair%:*} database=${pair#*:}
    sed "s|@SERVICE@|$service|; s|@DATABASE@|$database|; s|@HOST@|$host|; s|@PORT@|$port|; s|@PASSWORD@|$DEBEZIUM_PASSWORD|" \
        outbox.json |
        curl --silent --show-error --fail-with-body --output /dev/null --request PUT \
            --header 'Content-Type: application/json' --data @- "$connect/connectors/outbox-$service/config"
    echo "outbox-$service"
done
