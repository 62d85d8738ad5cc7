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
cargo test --release -p occlude --test pictures --test zeiler
# The pages are where cargo puts what tests write.
export REPORTS="${REPORTS:-$(cd "${CARGO_TARGET_DIR:-target}" && pwd)/tmp}"
cd tests/browser
npm ci --silent --no-audit --no-fund
node --test
