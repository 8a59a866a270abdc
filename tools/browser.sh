#!/usr/bin/env bash
# Puts chromium and chromedriver into .engines/bin/ of this checkout, for the tests and the pictures of `truegreen dashboard preview`.
#
# A browser and a driver of the same major version on PATH are linked. Otherwise root with apt installs Debian's packages (133 MB, a minute or
# two, once), with one font: without it pictures would be boxes. Anything else: one line says what is missing and the exit code is 0, so that
# all that needs no browser still runs (1 with TRUEGREEN_REQUIRE=1).
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
bin=$here/.engines/bin
packages=(chromium chromium-driver fonts-dejavu-core)

# The major version that the program $1 gives for itself (156), or nothing.
major_of() { "$1" --version 2>/dev/null | sed -n 's/^[A-Za-z ]* \([0-9][0-9]*\)\..*/\1/p' || true; }

present() { [ -x "$bin/chromium" ] && [ -x "$bin/chromedriver" ]; }

link_from_path() {
    local driver name browser
    driver=$(type -P chromedriver || true)
    [ -n "$driver" ] || return 1
    for name in chromium google-chrome chromium-browser google-chrome-stable; do
        browser=$(type -P "$name" || true)
        if [ -n "$browser" ] && [ "$(major_of "$browser")" = "$(major_of "$driver")" ]; then
            mkdir -p "$bin"
            ln -sfn "$browser" "$bin/chromium"
            ln -sfn "$driver" "$bin/chromedriver"
            return 0
        fi
    done
    return 1
}

missing() {
    echo "browser: $1; tests that need it are skipped" >&2
    [ "${TRUEGREEN_REQUIRE:-}" != 1 ]
    exit
}

present && exit 0
# Never what this script linked before: its target may have gone.
PATH=$(IFS=:; for folder in $PATH; do [ "$folder" = "$bin" ] || printf '%s:' "$folder"; done)
PATH=${PATH%:}
link_from_path && exit 0

if ! command -v apt-get >/dev/null; then
    missing "put chromium and a chromedriver of the same major version on PATH and run this again"
elif [ "$(id -u)" != 0 ]; then
    missing "as root: apt-get install --no-install-recommends ${packages[*]}"
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
apt=(apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3)
if { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${packages[@]}"; } >"$log" 2>&1 && link_from_path; then
    echo "browser: $("$bin/chromium" --version) in $bin"
    exit 0
fi
missing "the installation of Debian's packages failed ($(grep -E -m 1 '^(E|Err|W|dpkg[^:]*):' "$log" || tail -n 1 "$log"))"
