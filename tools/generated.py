"""Write, or with --check compare, every committed artefact and page that is made from code."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from truegreen.core.config import parse_text
from truegreen.core.generate import generated, stale, write
from truegreen.core.words import catalogue_build, dialect_page

ROOT = Path(__file__).resolve().parent.parent
ARTEFACTS = {"rules": "alert_rules/generated", "dashboards": "dashboards/generated", "collector": "collector/generated"}
PAGES = {
    "docs/attributes.md": "truegreen.core.words.documentation:attributes_page",
    "docs/otelcol.md": "truegreen.collector.generate_page:page",
    "docs/configuration.md": "truegreen.core.config.documentation:configuration_page",
    "docs/slos.md": "truegreen.alert_rules.documentation:slos_page",
}
RECORDED = ROOT / "tests" / "dialects" / "recorded"
SETS = ("truegreen.alert_rules.pages:pages",)
"""Functions that give many pages at once: path below the root to text."""


def catalogue() -> dict[str, str]:
    """The typed module and the page of the metric catalogue: what everything else is made from."""
    data = catalogue_build.load(catalogue_build.SOURCE.read_text("utf-8"), catalogue_build.SOURCE.name)
    return {
        "core/truegreen/core/words/catalogue.py": catalogue_build.module_text(data),
        "docs/metrics.md": catalogue_build.page_text(data),
    }


def everything() -> dict[str, str]:
    """Path below the root to text, for all that is made from code with the default configuration."""
    config = parse_text("", "defaults", {}, None)
    files = {
        f"{folder}/{name}": text
        for kind, folder in ARTEFACTS.items()
        for name, text in generated(kind, config, 1)[""].files.items()
    }
    for path, target in PAGES.items():
        files[path] = _function(target)()
    for target in SETS:
        files |= _function(target)()
    files["docs/dialects.md"] = dialect_page.dialects_page(recorded())
    return files


def recorded() -> dict[str, dict[str, str]]:
    """The name of every recording of a library's spans, with the versions of its packages."""
    return {path.stem: json.loads(path.read_text("utf-8"))["versions"] for path in sorted(RECORDED.glob("*.json"))}


def _function(target: str) -> Callable[[], Any]:
    module, _, function = target.partition(":")
    found: Callable[[], Any] = getattr(importlib.import_module(module), function)
    return found


def main() -> int:
    """Write all; with --check, print the difference and return 1 when there is one."""
    first = catalogue()
    if "--check" in sys.argv:
        difference = stale(ROOT, first) or stale(ROOT, everything())
        print(difference, end="")
        return 1 if difference else 0
    if stale(ROOT, first):
        write(ROOT, first)
        return subprocess.run([sys.executable, *sys.argv], check=False).returncode  # the catalogue of before is imported already
    rest = everything()
    write(ROOT, rest)
    print("\n".join(sorted({**first, **rest})))
    return 0


if __name__ == "__main__":
    sys.exit(main())
