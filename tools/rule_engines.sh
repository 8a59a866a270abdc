#!/usr/bin/env bash
# Puts the programs on which the slow tests of the alert rules run into .engines/bin of this checkout: Prometheus 3 and its promtool, VictoriaMetrics and
# vmalert, and a newer Alertmanager, each under a name of its own beside the ones of `make engines`.
#
# Each is built once for each version of it and of Go (minutes in all), from the Go module proxy, and kept in the user's cache: a second checkout links it. Where
# there is no Go, one line says so and the exit code is 0, so that all that needs no such program still runs (1 with TRUEGREEN_REQUIRE=1).
# Arguments: the names to build; all of them without.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
bin=$here/.engines/bin
cache=${XDG_CACHE_HOME:-$HOME/.cache}/truegreen

# Name here, how it is built, package, version.
programs='
promtool3 installed github.com/prometheus/prometheus/cmd/promtool v0.316.0
vmalert installed github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert v1.151.0
victoria-metrics installed github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics v1.151.0
amtool34 installed github.com/prometheus/alertmanager/cmd/amtool v0.34.2
alertmanager34 vendored github.com/prometheus/alertmanager/cmd/alertmanager v0.34.2
prometheus3 installed github.com/prometheus/prometheus/cmd/prometheus v0.316.0
'

lacking=0
missing() {
    echo "rule_engines: $1; tests that need it are skipped" >&2
    lacking=1
}

# Prometheus is built with the discovery of targets in files alone: that of all clouds is most of it.
installed() {
    GOBIN=$PWD go install -ldflags='-s -w' -tags remove_all_sd,enable_file_sd "$1@$2"
}

# Alertmanager's module lacks the pages that it embeds: a file takes their place.
vendored() {
    go mod init build
    go get -tool "$1@$2"
    go mod vendor -e
    ui=vendor/${1%%/cmd/*}/ui/app/dist
    mkdir -p "$ui"
    echo placeholder >"$ui/index.html"
    go build -mod=vendor -ldflags='-s -w' -o "${1##*/}" "$1"
}

if ! command -v go >/dev/null; then
    missing "there is no Go on PATH (1.26.7 or newer is needed to build Prometheus 3, vmalert and others: https://go.dev/dl)"
else
    export CGO_ENABLED=0
    mkdir -p "$bin" "$cache"
    go=$(go env GOVERSION GOOS GOARCH | tr '\n' '-')
    while read -r name how package version; do
        [ -n "$name" ] || continue
        [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
        built=$cache/$name-$version-${go%-}
        if [ ! -x "$built" ]; then
            work=$(mktemp -d "$cache/build.XXXXXX")
            echo "rule_engines: building $name $version from the Go module proxy (a minute or two, once); log: $built.log" >&2
            set +e
            (
                set -e
                cd "$work"
                "$how" "$package" "$version"
                mv "${package##*/}" "$built"
            ) </dev/null >"$built.log" 2>&1
            set -e
            chmod -R u+w "$work" && rm -rf "$work"
        fi
        if [ -x "$built" ]; then
            ln -sfn "$built" "$bin/$name"
        else
            missing "the build of $name failed ($(tail -n 1 "$built.log" | cut -c1-200))"
        fi
    done <<<"$programs"
fi
[ $lacking -eq 0 ] || [ "${TRUEGREEN_REQUIRE:-}" != 1 ]
