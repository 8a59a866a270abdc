#!/usr/bin/env bash
# Puts prometheus, promtool, alertmanager and amtool into .engines/bin/ of this checkout.
#
# One that is on PATH and new enough is linked. Otherwise, where there is apt, Debian's own packages are downloaded and
# unpacked into .engines/root: nothing is installed, no service starts, no root is needed. Anything else: one line says what
# is missing and the exit code is 0, so that all that needs no engine still runs (1 with TRUEGREEN_REQUIRE=1).
set -euo pipefail

PROMETHEUS_AT_LEAST=2.42
ALERTMANAGER_AT_LEAST=0.25

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
engines=$here/.engines
bin=$engines/bin
root=$engines/root

# PATH without our own folder, so that nothing is ever linked to itself.
outside=
IFS=: read -r -a folders <<<"$PATH"
for folder in "${folders[@]}"; do
    [ -n "$folder" ] && [ "$(cd -- "$folder" 2>/dev/null && pwd -P)" != "$bin" ] && outside=$outside${outside:+:}$folder
done

# Prints the version that the program $1 gives for itself (2.42.0), or nothing.
version_of() { "$1" --version 2>&1 | sed -n '1s/^[a-z]*, version \([0-9][0-9.]*\).*/\1/p' || true; }

# True when version $1 is at least $2.
at_least() {
    [ -n "$1" ] && awk -v have="$1" -v want="$2" 'BEGIN {
        split(have, h, "."); n = split(want, w, ".")
        for (i = 1; i <= n; i++) { if (h[i] + 0 > w[i] + 0) exit 0; if (h[i] + 0 < w[i] + 0) exit 1 }
        exit 0 }'
}

wanted() { case $1 in prometheus | promtool) echo $PROMETHEUS_AT_LEAST ;; *) echo $ALERTMANAGER_AT_LEAST ;; esac; }

# Is the engine in place? (A link whose target has gone is not.)
present() { [ -x "$bin/$1" ] && { [ -L "$bin/$1" ] || [ -x "$root/usr/bin/prometheus-alertmanager" ]; }; }

link_from_path() {
    local name found
    for name in "$@"; do
        found=$(PATH=$outside type -P "$name" || true)
        if [ -n "$found" ] && at_least "$(version_of "$found")" "$(wanted "$1")"; then
            rm -f "$bin/$1"
            ln -s "$found" "$bin/$1"
            return 0
        fi
    done
    return 1
}

# Debian's packages, unpacked into $work/root. Only the distribution's own sources are read; state lives in $work.
unpack_packages() {
    local list
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/sources" "$work/debs" "$work/root"
    for list in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/ubuntu.sources; do
        if [ -e "$list" ]; then cp "$list" "$work/sources/"; fi
    done
    cat >"$work/apt.conf" <<CONF
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
Dir::Etc::sourceparts "$work/sources";
APT::Sandbox::User "";
Debug::NoLocking "1";
Acquire::Languages "none";
Acquire::Retries "3";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
CONF
    export LC_ALL=C
    apt-get -q -c "$work/apt.conf" update >"$work/log" 2>&1 || return 1
    (cd "$work/debs" && apt-get -q -c "$work/apt.conf" download prometheus prometheus-alertmanager) >>"$work/log" 2>&1 || return 1
    # proot is the last of three ways to start Alertmanager; an architecture without it has the first two.
    (cd "$work/debs" && apt-get -q -c "$work/apt.conf" download proot libtalloc2) >>"$work/log" 2>&1 || true
    for list in "$work"/debs/*.deb; do dpkg -x "$list" "$work/root" >>"$work/log" 2>&1 || return 1; done
    # Places for what proot shows of the real /usr/share (see the wrapper).
    mkdir -p "$work/root/usr/share/zoneinfo" "$work/root/usr/share/ca-certificates"
}

# Alertmanager 0.25 of Debian reads /usr/share/prometheus/alertmanager/default.tmpl, a path compiled in: the wrapper shows it
# one there. It finds its folder when started, so a checkout can be moved.
wrapper() {
    cat <<'WRAPPER'
#!/bin/sh
# Starts the unpacked Alertmanager; written by tools/engines.sh. Ending this process ends the server.
root=$(cd -- "$(dirname -- "$(readlink -f -- "$0")")/../root" && pwd -P) || exit 1
server=$root/usr/bin/prometheus-alertmanager
template=prometheus/alertmanager/default.tmpl

case "${1-}" in --version | --help | -h) exec "$server" "$@" ;; esac
[ -e "/usr/share/$template" ] && exec "$server" "$@"

# The mount, relative to its folder: a colon or comma in the checkout's path would end the option.
overlay='(cd -- "$1" && mount -t overlay overlay -o lowerdir=usr/share:/usr/share /usr/share)'
for flags in -m -Urm; do
    [ "$flags" = -m ] && [ "$(id -u)" != 0 ] && continue
    if unshare $flags sh -c "$overlay && test -e /usr/share/$template" sh "$root" >/dev/null 2>&1; then
        exec unshare $flags sh -c "$overlay"' && shift && exec "$@"' sh "$root" "$server" "$@"
    fi
done

if [ ! -x "$root/usr/bin/proot" ]; then
    echo "alertmanager: neither unshare nor proot can show it /usr/share/$template; install the package prometheus-alertmanager" >&2
    exit 1
fi
# proot ignores SIGTERM and leaves its child behind when killed. So this shell stays: it passes the signal on to the server, and
# should it be killed itself, the kernel (parent-death signal) ends proot and the server.
die=
setpriv --pdeathsig KILL true >/dev/null 2>&1 && die='setpriv --pdeathsig KILL'
# All names are relative to the unpacked folder, whose own may hold a colon (a separator to proot and to the loader). The whole of
# /usr/share is replaced: a folder that is not there proot would make on the real disk, when root runs it.
start=$PWD
cd -- "$root" || exit 1
for libraries in usr/lib/*/libtalloc.so.2; do libraries=${libraries%/*}; done
binds='-b usr/share:/usr/share'
for folder in zoneinfo ca-certificates; do
    [ -d "usr/share/$folder" ] && [ -d "/usr/share/$folder" ] && binds="$binds -b /usr/share/$folder:/usr/share/$folder"
done
LD_LIBRARY_PATH=$libraries $die usr/bin/proot $binds -w "$start" env -u LD_LIBRARY_PATH $die "$server" "$@" &
tracer=$!
pass_on() {
    child=$(cat "/proc/$tracer/task/$tracer/children" 2>/dev/null)
    kill -TERM $child 2>/dev/null || kill -KILL "$tracer" 2>/dev/null
}
trap pass_on TERM INT HUP
code=0
while kill -0 "$tracer" 2>/dev/null; do
    wait "$tracer"
    code=$?
done
exit "$code"
WRAPPER
}

write_wrapper() {
    if [ -x "$bin/alertmanager" ] && [ ! -L "$bin/alertmanager" ] && [ "$(wrapper)" = "$(cat "$bin/alertmanager")" ]; then return; fi
    mkdir -p "$work"
    wrapper >"$work/alertmanager"
    chmod 755 "$work/alertmanager"
    mv "$work/alertmanager" "$bin/alertmanager"
}

link_unpacked() {
    local name
    for name in "$@"; do
        rm -f "$bin/$name"
        ln -s "../root/usr/bin/$name" "$bin/$name"
    done
}

missing=()
mkdir -p "$bin"
for name in prometheus promtool alertmanager amtool; do
    present "$name" && continue
    case $name in
    alertmanager) link_from_path alertmanager prometheus-alertmanager || missing+=("$name") ;;
    *) link_from_path "$name" || missing+=("$name") ;;
    esac
done

work=$engines/work.$$
trap 'rm -rf "$work"' EXIT

# An older wrapper is replaced, so that a newer version of this script takes effect.
if [ ${#missing[@]} -eq 0 ]; then
    if [ ! -L "$bin/alertmanager" ]; then write_wrapper; fi
    exit 0
fi

if command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
    if unpack_packages; then
        rm -rf "$root"
        mv "$work/root" "$root"
        for name in "${missing[@]}"; do
            case $name in alertmanager) write_wrapper ;; *) link_unpacked "$name" ;; esac
        done
        for name in "${missing[@]}"; do
            have=$(version_of "$bin/$name")
            at_least "$have" "$(wanted "$name")" && continue
            rm -f "$bin/$name"
            echo "engines: $name of this distribution is ${have:-unusable}; needed: $(wanted "$name") or newer on PATH" >&2
            [ "${TRUEGREEN_REQUIRE:-}" != 1 ] || exit 1
        done
        echo "engines: prometheus $(version_of "$bin/prometheus"), alertmanager $(version_of "$bin/alertmanager") in $bin"
        exit 0
    fi
    # apt names the cause first (a host that does not resolve); its later lines follow from it.
    why=$(grep -E -m 1 '^(E|Err|W|dpkg[^:]*):' "$work/log" || tail -n 1 "$work/log")
    echo "engines: missing ${missing[*]}; the download of Debian's packages failed ($why); try again, or put them on PATH" >&2
else
    echo "engines: missing ${missing[*]}; put them on PATH (macOS: brew install prometheus alertmanager) and run this again" >&2
fi
[ "${TRUEGREEN_REQUIRE:-}" != 1 ]
