#!/usr/bin/env bash
# Puts an OpenTelemetry Collector, built of tools/otelcol.yaml, into .engines/bin/otelcol of this checkout.
#
# It is built once for each manifest and version of Go (minutes), from the Go module proxy, and kept in the user's cache: a second checkout links it. Where
# there is no Go, one line says so and the exit code is 0, so that all that needs no such collector still runs (1 with TRUEGREEN_REQUIRE=1).
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
manifest=$here/tools/otelcol.yaml
bin=$here/.engines/bin

missing() {
    echo "otelcol: $1; tests that need a real OpenTelemetry Collector are skipped" >&2
    [ "${TRUEGREEN_REQUIRE:-}" != 1 ]
    exit
}

command -v go >/dev/null || missing "there is no Go on PATH (1.25 or newer is needed to build it: https://go.dev/dl)"

version=$(sed -n 's/^  version: //p' "$manifest")
key=$( (cat "$manifest"; go env GOVERSION GOOS GOARCH) | sha256sum | cut -c1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/truegreen
built=$cache/otelcol-$key

if [ ! -x "$built" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/build.XXXXXX")
    trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
    echo "otelcol: building $version from the Go module proxy (some minutes, once); log: $cache/otelcol-$key.log" >&2
    if ! (
        cd "$work"
        cp "$manifest" manifest.yaml
        GOBIN=$work/bin go install "go.opentelemetry.io/collector/cmd/builder@v$version"
        bin/builder --config manifest.yaml --skip-compilation
        cd source
        # A module that only tests of modules use is not served: -e goes on without it.
        go mod tidy -e
        go build -mod=mod -trimpath -ldflags='-s -w' -o ../otelcol .
    ) >"$cache/otelcol-$key.log" 2>&1; then
        missing "the build failed ($(tail -n 1 "$cache/otelcol-$key.log" | cut -c1-200))"
    fi
    mv "$work/otelcol" "$built"
fi
mkdir -p "$bin"
ln -sfn "$built" "$bin/otelcol"
