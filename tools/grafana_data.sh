#!/usr/bin/env bash
# Puts .engines/bin/grafana-data into this checkout: a Node that knows Grafana's own library (@grafana/data), for the slow test that compares its units,
# colours and steps with those of `truegreen dashboard preview`.
#
# The packages of tools/grafana_data/package-lock.json (140 MB, a minute, once for each lock and each Node) stay in the user's cache: a second checkout links them.
# No script of theirs is run. Where there is no Node, one line says so and the exit code is 0, so that all that needs no such library still runs (1 with TRUEGREEN_REQUIRE=1).
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
wanted=$here/tools/grafana_data
bin=$here/.engines/bin

missing() {
    echo "grafana_data: $1; the test that asks Grafana's own library is skipped" >&2
    [ "${TRUEGREEN_REQUIRE:-}" != 1 ]
    exit
}

command -v node >/dev/null && command -v npm >/dev/null || missing "there is no node and npm on PATH (20 or newer: https://nodejs.org)"

key=$( (cat "$wanted/package-lock.json"; node --version) | sha256sum | cut -c1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/truegreen
built=$cache/grafana-data-$key

if [ ! -x "$built/grafana-data" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/build.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    echo "grafana_data: installing @grafana/data (a minute, once); log: $built.log" >&2
    cp "$wanted/package.json" "$wanted/package-lock.json" "$work"
    # Peers that only its authors' tools need are left out.
    if ! (cd "$work" && npm ci --ignore-scripts --legacy-peer-deps --omit=optional --no-audit --no-fund) >"$built.log" 2>&1; then
        missing "npm cannot install it ($(grep -m 1 '^npm error' "$built.log" | cut -c1-200))"
    fi
    printf '#!/bin/sh\nNODE_PATH=%q exec node "$@"\n' "$built/node_modules" >"$work/grafana-data"
    chmod +x "$work/grafana-data"
    chmod 755 "$work"
    rm -rf "$built"
    mv "$work" "$built"
fi
mkdir -p "$bin"
ln -sfn "$built/grafana-data" "$bin/grafana-data"
