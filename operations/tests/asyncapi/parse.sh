#!/usr/bin/env bash
# Lets the official AsyncAPI parser read the system's document, as JSON and as YAML, and that of a service of which only the table is
# known. `make asyncapi` runs it. Needs Node.js and npm; the parser is installed under target/.
set -euo pipefail
cd "$(dirname "$0")/../../.."

PARSER=3.6.3

for tool in node npm; do
    if ! command -v "$tool" >/dev/null; then
        printf '%s is missing: install Node.js and npm, on Debian and Ubuntu with: apt-get install nodejs npm\n' "$tool" >&2
        exit 1
    fi
done
scenarios=${1:?usage: parse.sh path/to/scenarios}
# Of another version, nothing is left over.
folder=$PWD/target/asyncapi-$PARSER
mkdir -p "$folder"
if [[ ! -d $folder/node_modules/@asyncapi/parser ]]; then
    printf 'installing @asyncapi/parser %s in %s\n' "$PARSER" "$folder"
    npm install --silent --no-audit --no-fund --no-save --ignore-scripts --prefix "$folder" "@asyncapi/parser@$PARSER"
fi
cat >"$folder/loyalty.json" <<'JSON'
{"service": "loyalty", "topic": "loyalty.events", "reactions": [
  {"on": {"event": "OrderCompleted", "publisher": "order", "topic": "order.events"}, "decision": "award", "says": ["PointsAwarded"]}
]}
JSON
"$scenarios" asyncapi >"$folder/shop.json"
"$scenarios" asyncapi --format yaml >"$folder/shop.yaml"
"$scenarios" asyncapi --file "$folder/loyalty.json" >"$folder/with-loyalty.json"
node operations/tests/asyncapi/parse.mjs "$folder" "$folder"/{shop.json,shop.yaml,with-loyalty.json}
