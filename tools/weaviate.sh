#!/usr/bin/env bash
# Puts a Weaviate server, for the slow tests of drift vectors, into .engines/bin of this checkout.
#
# It is built once for each version of it and of Go (some minutes), from the Go module proxy, and kept in the user's cache: a second checkout links it. Where
# there is no Go, one line says so and the exit code is 0, so that all that needs no Weaviate still runs (1 with TRUEGREEN_REQUIRE=1).
set -euo pipefail

version=v1.35.2
package=github.com/weaviate/weaviate/cmd/weaviate-server
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
bin=$here/.engines/bin
cache=${XDG_CACHE_HOME:-$HOME/.cache}/truegreen

missing() {
    echo "weaviate: $1; tests that need it are skipped" >&2
    [ "${TRUEGREEN_REQUIRE:-}" != 1 ]
    exit
}

command -v go >/dev/null || missing "there is no Go on PATH (https://go.dev/dl)"
mkdir -p "$bin" "$cache"
go=$(go env GOVERSION GOOS GOARCH | tr '\n' '-')
built=$cache/weaviate-server-$version-${go%-}
if [ ! -x "$built" ]; then
    work=$(mktemp -d "$cache/build.XXXXXX")
    echo "weaviate: building $version from the Go module proxy (some minutes, once); log: $built.log" >&2
    if GOBIN=$work go install -ldflags='-s -w' "$package@$version" </dev/null >"$built.log" 2>&1; then
        mv "$work/weaviate-server" "$built"
    fi
    rm -rf "$work"
fi
[ -x "$built" ] || missing "the build failed ($(tail -n 1 "$built.log" | cut -c1-200))"
ln -sfn "$built" "$bin/weaviate-server"
