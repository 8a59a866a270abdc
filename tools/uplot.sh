#!/usr/bin/env bash
# Puts uPlot, which draws the preview's plots, into the package: three files of npm's tarball, unchanged. The tarball is compared
# with the digest below first. To raise the version, change both and the digests in tests/dashboards/test_preview_page.py.
set -euo pipefail

VERSION=1.6.32
INTEGRITY=KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
vendor=$here/dashboards/truegreen/dashboards/preview/static/vendor
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$work" && npm pack --silent "uplot@$VERSION" >/dev/null)
found=$(openssl dgst -sha512 -binary "$work/uplot-$VERSION.tgz" | base64 -w 0)
if [ "$found" != "$INTEGRITY" ]; then
    echo "uplot@$VERSION: the tarball's sha512 is $found, expected $INTEGRITY: nothing was copied" >&2
    exit 1
fi
tar -xzf "$work/uplot-$VERSION.tgz" -C "$work"
mkdir -p "$vendor"
install -m 644 "$work/package/dist/uPlot.iife.min.js" "$work/package/dist/uPlot.min.css" "$work/package/LICENSE" "$vendor"
echo "uPlot $VERSION is in ${vendor#"$here"/}"
