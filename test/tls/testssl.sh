#!/usr/bin/env bash
# Rates a device server and the API with testssl.sh (https://testssl.sh; apt-get install testssl.sh openssl). Takes some
# minutes, so it is no part of `npm test`. Fails when anything is rated worse than LOW, but for the certificate, which
# is made for the run and known to nobody.
#
#   npm run build && test/tls/testssl.sh [folder for the reports]
set -euo pipefail
cd "$(dirname "$0")/../.."

for program in testssl openssl node; do
  command -v "$program" >/dev/null || { echo "needs $program: apt-get install testssl.sh openssl" >&2; exit 2; }
done
folder=$(mktemp -d)
reports=${1:-$folder}
trap 'kill "${engine:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT

openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj "/CN=127.0.0.1" -addext "subjectAltName=IP:127.0.0.1" \
  -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>/dev/null
cat >"$folder/main.lua" <<'LUA'
function on_message(msg, conn) conn:send(msg) end
LUA
cat >"$folder/x.yaml" <<YAML
engine:
  name: rated
  apiServer: { port: 0, tls: { cert: $folder/cert.pem, key: $folder/key.pem } }
  servers:
    - { name: devices, port: 0, bind: 127.0.0.1, entry: $folder/main.lua,
        tls: { cert: $folder/cert.pem, key: $folder/key.pem } }
store: { path: $folder/data }
YAML
node dist/cli.js engine -f "$folder/x.yaml" >"$folder/log" 2>&1 &
engine=$!
port() { sed -nE "s/.*$1[^0-9]*127\.0\.0\.1:([0-9]+) with TLS.*/\1/p" "$folder/log" | head -1; }
for _ in $(seq 100); do
  [ -n "$(port 'API listening on')" ] && [ -n "$(port 'listening on tcp')" ] && break
  sleep 0.1
done

worse=0
for what in 'API listening on' 'listening on tcp'; do
  json="$reports/$(echo "$what" | tr -c 'A-Za-z\n' -).json"
  rm -f "$json"
  testssl --quiet --color 0 --warnings batch --ip one --jsonfile "$json" "127.0.0.1:$(port "$what")" || true
  node - "$json" <<'JS' || worse=1
const rated = JSON.parse(require('node:fs').readFileSync(process.argv[2], 'utf8'));
const bad = rated.filter(({ id, severity }) =>
  ['MEDIUM', 'HIGH', 'CRITICAL', 'FATAL'].includes(severity) && !/^cert/.test(id));
for (const { id, severity, finding } of bad) console.error(`${severity} ${id}: ${finding}`);
if (rated.length < 50) console.error(`only ${rated.length} findings: the rating did not come to its end`);
process.exit(bad.length > 0 || rated.length < 50 ? 1 : 0);
JS
done
[ "$worse" -eq 0 ] && echo 'nothing worse than LOW'
exit "$worse"
