"""What detection finds on data whose labels people made: `python benchmarks/detection.py [--only models xstest …] [--data DIR] [--seed 1] [--json] [--page docs/measuring.md]`.

Each `detection_NAME.py` beside this file has `run(data, seed)` and gives `{"title", "rows", "bars", "note"}`: `rows` are the lines of a table,
`bars` what was promised (`{"says", "found", "held"}`). The seed is printed; accuracy does not depend on the machine, milliseconds do.
With `--page` the table and the note of each part also go into a page, between `<!-- detection: NAME -->` and `<!-- end -->`.
Exit code 1 when a bar is not held or a part breaks, 2 when data is missing.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
DATA: Final = HERE.parent.parent / "shared" / "data"
PREFIX: Final = "detection_"
SEED: Final = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, print it, and give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", action="extend", choices=parts(), metavar="NAME", help=", ".join(parts()))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TRUEGREEN_DATA") or DATA))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--page", type=Path, help="write tables and notes into this page, where its marks are")
    options = parser.parse_args(arguments)
    found: dict[str, dict[str, Any]] = {}
    print(f"Seed {options.seed}.", file=sys.stderr if options.json else sys.stdout, flush=True)
    for name in dict.fromkeys(options.only or parts()):  # each is said when it is there: some take minutes
        found[name] = measured(name, options.data, options.seed)
        print("\n" + "\n".join(markdown(name, found[name])), file=sys.stderr if options.json else sys.stdout, flush=True)
    if options.json:
        print(json.dumps({"seed": options.seed, "parts": found}))
    if options.page:
        options.page.write_text(filled(options.page.read_text("utf-8"), found), "utf-8")
    return code(found)


def parts() -> list[str]:
    """The names of what can be measured, sorted."""
    return sorted(path.stem.removeprefix(PREFIX) for path in HERE.glob(f"{PREFIX}*.py"))


def measured(name: str, data: Path, seed: int) -> dict[str, Any]:
    """One part: what its module gives and the seconds it took, or `error` and whether data is `missing`. The others go on."""
    began = time.perf_counter()
    try:
        part = dict(importlib.import_module(PREFIX + name).run(data, seed))
    except FileNotFoundError as error:
        return {"title": name, "error": str(error), "missing": True}
    except Exception as error:
        return {"title": name, "error": f"{type(error).__name__}: {error}", "missing": False}
    return {**part, "seconds": round(time.perf_counter() - began, 1)}


def code(found: Mapping[str, Mapping[str, Any]]) -> int:
    """0 when every bar is held, 1 when one is not or a part broke, 2 when only data is missing."""
    broke = any("error" in part and not part["missing"] for part in found.values())
    if broke or not all(bar["held"] for part in found.values() for bar in part.get("bars", ())):
        return 1
    return 2 if any("error" in part for part in found.values()) else 0


def markdown(name: str, part: Mapping[str, Any]) -> list[str]:
    """One part for a person."""
    lines = [f"## {part['title']} (`--only {name}`)", ""]
    if "error" in part:
        return [*lines, f"Not measured: {part['error']}"]
    lines += [*table(part.get("rows", ())), ""]
    lines += [f"* {'HELD' if bar['held'] else 'MISSED'}: {bar['says']}: {shown(bar['found'])}" for bar in part.get("bars", ())]
    return [*lines, *(["", part["note"]] if part.get("note") else [])]


def filled(page: str, found: Mapping[str, Mapping[str, Any]]) -> str:
    """A page with the table and the note of each part that was measured and that it has marks for."""
    for name, part in found.items():
        mark = f"<!-- detection: {name} -->\n"
        if "error" in part or mark not in page:
            continue
        head, _, rest = page.partition(mark)
        _, end, tail = rest.partition("<!-- end -->")
        page = head + mark + "\n".join([*table(part.get("rows", ())), "", part.get("note", ""), ""]) + end + tail
    return page


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rows as Markdown; a key that a row lacks is an empty cell."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    if not keys:
        return []
    lines = [keys, ["---"] * len(keys), *([shown(row.get(key, "")) for key in keys] for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def shown(value: Any) -> str:
    """A cell: numbers with at most three decimals, no line ends and no bars."""
    text = f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
