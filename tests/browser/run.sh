#!/usr/bin/env bash
# The report in a real browser: writes the pages, then drives Debian's Chromium over them. Installs what is missing (as root, Debian).
set -euo pipefail
cd "$(dirname "$0")/../.."
need() { command -v "$1" >/dev/null 2>&1; }
if ! need node || ! need npm || ! { need chromium || [ -n "${CHROMIUM:-}" ]; }; then
  apt-get update -qq
  need node && need npm || apt-get install -y -qq nodejs npm
  need chromium || apt-get install -y -qq chromium
fi
cargo test --release --workspace --test pictures --test zeiler --test stability
# The pages are where cargo puts what tests write.
export REPORTS="${REPORTS:-$(cd "${CARGO_TARGET_DIR:-target}" && pwd)/tmp}"
cd tests/browser
npm ci --silent --no-audit --no-fund
node --test --test-concurrency=1

# The live page again, with the server itself in place of the stand-in.
address=$(mktemp)
(cd ../.. && exec "${OCCLUDE:-${CARGO_TARGET_DIR:-target}/release/occlude}" serve examples/efficientnet-lite0 examples/images/coffee.jpg --port 0 -q) > "$address" &
server=$!
trap 'kill "$server" 2>/dev/null; rm -f "$address"' EXIT
for _ in $(seq 100); do [ -s "$address" ] && break; sleep 0.1; done
OCCLUDE_SERVER=$(head -n 1 "$address") node --test --test-concurrency=1 live*.test.mjs
