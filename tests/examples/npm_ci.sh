#!/usr/bin/env bash
# npm_ci.sh FROM TO: a copy of examples/js, with the one package that it needs, as locked.
set -euo pipefail
command -v node >/dev/null && command -v npm >/dev/null || {
    echo "skipped: there is no node, or no npm"
    exit 77
}
mkdir -p "$2"
cp -p "$1"/*.js* "$2"
cd "$2"
cmp -s package-lock.json node_modules/.locked && exit
log=$(npm ci --omit=optional --ignore-scripts --no-audit --no-fund 2>&1) || {
    echo "$log"
    grep -qE 'ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|ENETUNREACH|network' <<<"$log" || exit 1
    echo "skipped: the registry cannot be reached"
    exit 77
}
cp package-lock.json node_modules/.locked
