"""What the runbook promises in figures: `python benchmarks/runbook.py [--only triage …] [--seed 1] [--json]`.

Each `runbook_NAME.py` beside this file that has `run(seed)` gives `{"title", "rows", "bars", "note"}`, as the parts of `detection.py` do.
Exit code 1 when a bar is not held or a part breaks.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import detection

HERE: Final = Path(__file__).resolve().parent
PREFIX: Final = "runbook_"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, print it, and give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", action="extend", choices=parts(), metavar="NAME", help=", ".join(parts()))
    parser.add_argument("--seed", type=int, default=detection.SEED)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(options.only or parts()):
        found[name] = measured(name, options.seed)
        print(
            "\n".join(detection.markdown(name, found[name])) + "\n", file=sys.stderr if options.json else sys.stdout, flush=True
        )
    if options.json:
        print(json.dumps({"seed": options.seed, "parts": found}))
    return detection.code(found)


def parts() -> list[str]:
    """The names of what can be measured, sorted: the modules beside this file that say `def run(`."""
    return sorted(p.stem.removeprefix(PREFIX) for p in HERE.glob(f"{PREFIX}*.py") if "\ndef run(" in p.read_text("utf-8"))


def measured(name: str, seed: int) -> dict[str, Any]:
    """What one part gives, or the `error` that broke it; the others go on."""
    try:
        run = importlib.import_module(PREFIX + name).run
        return dict(run(seed) if inspect.signature(run).parameters else run())
    except Exception as error:
        return {"title": name, "error": f"{type(error).__name__}: {error}", "missing": False}


if __name__ == "__main__":
    sys.exit(main())
