#!/usr/bin/env bash
# Puts .engines/bin/temporal-test-server into this checkout: Temporal's in-memory server of tools/temporal/pom.xml, `temporal-test-server PORT`.
#
# Its jars (40 MB, half a minute, once for each pom) come from Maven Central and stay in the user's cache: a second checkout links them. Where there is no Java
# or Maven, one line says so and the exit code is 0, so that all that needs no such server still runs (1 with TRUEGREEN_REQUIRE=1).
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
pom=$here/tools/temporal/pom.xml
bin=$here/.engines/bin

missing() {
    echo "temporal: $1; the test that talks to a Temporal server is skipped" >&2
    [ "${TRUEGREEN_REQUIRE:-}" != 1 ]
    exit
}

command -v java >/dev/null && command -v mvn >/dev/null || missing "there is no java and mvn on PATH (Java 11 or newer, Maven 3)"

key=$(sha256sum <"$pom" | cut -c1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/truegreen
built=$cache/temporal-$key

if [ ! -x "$built/temporal-test-server" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/build.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    echo "temporal: fetching its test server from Maven Central (half a minute, once); log: $built.log" >&2
    cp "$pom" "$work"
    if ! (cd "$work" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib -DincludeScope=runtime) >"$built.log" 2>&1; then
        missing "Maven cannot fetch it ($(grep -m 1 ERROR "$built.log" | cut -c1-200))"
    fi
    printf '#!/bin/sh\nexec java -cp %q/'"'*'"' io.temporal.testserver.TestServer "$@"\n' "$built/lib" >"$work/temporal-test-server"
    chmod +x "$work/temporal-test-server"
    chmod 755 "$work"
    rm -rf "$built"
    mv "$work" "$built"
fi
mkdir -p "$bin"
ln -sfn "$built/temporal-test-server" "$bin/temporal-test-server"
