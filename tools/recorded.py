"""Ask a recorded incident all that the boards ask, and write what the preview shows (`make recorded`); with --check compare instead.

The series of `truegreen demo --record` go into a real Prometheus, so that the numbers are Prometheus's own.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import itertools
import json
import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from truegreen.core.clients import engines
from truegreen.core.config import parse_text
from truegreen.core.errors import BadInput, Failed
from truegreen.core.words import ready_made, records
from truegreen.dashboards import promql
from truegreen.dashboards.preview import recording, site
from truegreen.dashboards.preview.recording import Query, Recording

ROOT: Final = Path(__file__).resolve().parent.parent
INCIDENT: Final = ROOT / "dashboards" / "recorded" / "incident.json.gz"
SHIPPED: Final = ROOT / "dashboards" / "truegreen" / "dashboards" / "preview" / "recorded.json.gz"
FLAGS: Final = ("--query.lookback-delta=2s", "--storage.tsdb.retention.time=100y")
"""Series read from a file have no marks where they end: with the usual 5 min every alert would fire to the end. They may be old, too."""
BEFORE: Final = 27
"""Seconds shown before the first mark: what lies before them is the stage being built, and what lies after the last one its end."""

Json = dict[str, Any]


def read(path: Path) -> tuple[Json, str]:
    """What `truegreen demo --record` wrote, and its digest.

    Raises:
        BadInput: the file is something else.
    """
    data = path.read_bytes()
    try:
        found: Json = json.loads(gzip.decompress(data))
    except (ValueError, OSError) as error:
        raise BadInput(f"{path}: is no gzipped JSON ({error}); write it with `make incident`") from None
    if not isinstance(found, dict) or found.get("format") != recording.RAW:
        raise BadInput(f"{path}: is no {recording.RAW}; write it with `make incident`")
    return found, hashlib.sha256(data).hexdigest()


def openmetrics(raw: Json) -> Iterator[str]:
    """The lines of the recorded series as OpenMetrics."""
    by_name = sorted(raw["series"], key=lambda one: str(one["labels"]["__name__"]))
    for name, group in itertools.groupby(by_name, key=lambda one: str(one["labels"]["__name__"])):
        yield f"# TYPE {name} unknown"
        for one in group:
            # JSON escapes a backslash, a quote and a new line as OpenMetrics does.
            labels = ",".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in one["labels"].items() if k != "__name__")
            for index, value in enumerate(one["values"]):
                if value is not None:
                    yield f"{name}{{{labels}}} {value} {one['start'] + index * raw['step']}"
    yield "# EOF"


@contextmanager
def prometheus(raw: Json, folder: Path) -> Iterator[httpx.Client]:
    """A Prometheus that holds the recorded series."""
    text, settings, data = folder / "series.om", folder / "prometheus.yml", folder / "data"
    text.write_text("\n".join([*openmetrics(raw), ""]), "utf-8")
    settings.write_text("global: {scrape_interval: 1m}\n", "utf-8")
    command = [str(engines.require("promtool")), "tsdb", "create-blocks-from", "openmetrics", str(text), str(data / "tsdb")]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise Failed(f"promtool does not take the series: {made.stderr.strip()}")
    with (
        engines.prometheus(settings, data, args=FLAGS) as server,
        httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client,
    ):
        yield client


def taken(raw: Json, digest: str, client: httpx.Client, boards: Mapping[str, Json]) -> Recording:
    """The answers to all that the boards ask of the recorded series."""
    start, end = window(raw)
    answers = {uid: _board(raw, client, board) for uid, board in boards.items()}
    marks, promised = tuple(raw["marks"]), tuple(slos(raw))
    return Recording(digest, float(start), float(end), float(raw["scrape"]), raw["time_scale"], marks, promised, answers)


def window(raw: Json) -> tuple[int, int]:
    """From shortly before the first mark to the last one, seconds since 1970."""
    moments = [mark["at"] for mark in raw["marks"]] or [raw["start"] + BEFORE, raw["end"]]
    return max(raw["start"], math.floor(min(moments)) - BEFORE), min(raw["end"], math.ceil(max(moments)))


def slos(raw: Json) -> list[Json]:
    """The SLOs that were recorded, as `truegreen.yaml` writes them."""
    order = list(ready_made.BY_NAME)
    found = [one["labels"] for one in raw["series"] if one["labels"]["__name__"] == records.SLO_INFO]
    named = {one["slo"]: {"name": one["slo"], "mode": one["mode"], "objective": one["objective"]} for one in found}
    return sorted(named.values(), key=lambda one: order.index(one["name"]))


def _board(raw: Json, client: httpx.Client, board: Json) -> Json:
    asked = {query.key: query for query in recording.asked(board)}
    exemplars = {query.expr: _exemplars(raw["exemplars"], query) for query in asked.values() if query.exemplars}
    variables = {v["name"]: _values(client, raw, v["query"]) for v in board["templating"]["list"] if v["type"] == "query"}
    return {
        "queries": {key: _answer(client, raw, query) for key, query in asked.items()},
        "variables": variables,
        "exemplars": {expr: found for expr, found in exemplars.items() if found},
    }


def _answer(client: httpx.Client, raw: Json, query: Query) -> Json:
    first, end = window(raw)
    # The shortest step is taken for the scrape interval, as Grafana does, so a rate reads four of them.
    durations = {"$__rate_interval": f"{4 * query.step}s", "$__interval": f"{query.step}s", "$__range": f"{end - first}s"}
    step = raw["step"] if query.instant else query.step  # what is read as of now is right at any moment
    start = math.floor(first / step) * step
    params = {"query": promql.filled(query.expr, durations), "start": start, "end": end, "step": step}
    count = math.floor((end - start) / step) + 1
    series = []
    for one in _get(client, "query_range", params)["result"]:
        values: list[float | int | None] = [None] * count
        for at, text in one["values"]:
            values[round((at - start) / step)] = _short(float(text))
        series.append({"labels": one["metric"], "values": values})
    return {"start": start, "step": step, "series": sorted(series, key=lambda one: sorted(one["labels"].items()))}


def _values(client: httpx.Client, raw: Json, query: str) -> list[str]:
    found = re.fullmatch(r"label_values\((.+),\s*(\w+)\)", query)
    if found is None:
        raise Failed(f"a variable asks {query!r}: only label_values(metric, label) is recorded")
    start, end = window(raw)
    params = {"match[]": promql.filled(found[1]), "start": start, "end": end}
    values: list[str] = _get(client, f"label/{found[2]}/values", params)
    return values


def _get(client: httpx.Client, path: str, params: Mapping[str, Any]) -> Any:
    answer = client.get(f"/api/v1/{path}", params=dict(params)).json()
    if answer["status"] != "success":
        raise Failed(f"Prometheus refuses {params}: {answer['error']}")
    return answer["data"]


def _exemplars(found: Iterable[Json], query: Query) -> list[Json]:
    selectors = promql.read(query.expr).selectors

    def wanted(labels: Mapping[str, str]) -> bool:
        return any(
            one.name == labels["__name__"] and all(_fits(labels.get(label, ""), op, value) for label, op, value in one.matchers)
            for one in selectors
        )

    return [one for one in found if wanted(one["labels"])]


def _fits(value: str, op: str, wanted: str) -> bool:
    same = re.fullmatch(wanted, value) is not None if op in ("Re", "NotRe") else value == wanted
    return same != op.startswith("Not")


def _short(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    # Six digits, and three decimals where these say more: a time in seconds has ten digits before its point.
    short = round(value, max(3, 5 - math.floor(math.log10(abs(value) or 1))))
    return int(short) if short.is_integer() else short


def differences(one: Json, other: Json, path: str = "") -> Iterator[str]:
    """Where two recordings differ by more than a millionth."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from (
                differences(one[key], other[key], f"{path} {key}")
                if key in one and key in other
                else [f"{path} {key}: in one only"]
            )
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, f"{path}[{index}]")
    elif one != other and not (_number(one) and _number(other) and math.isclose(one, other, rel_tol=1e-6)):
        yield f"{path}: {one!r} and {other!r}"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def main(arguments: list[str]) -> int:
    """Write the recording that is shipped, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("incident", nargs="?", type=Path, default=INCIDENT, help="what `truegreen demo --record` wrote")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--check", action="store_true", help="compare with what is there; exit 1 when it differs")
    given = parser.parse_args(arguments)
    raw, digest = read(given.incident)
    boards = site.generated(parse_text(json.dumps({"slos": slos(raw)}), str(given.incident), {}, None), raw["time_scale"])
    with tempfile.TemporaryDirectory(prefix="truegreen-recorded-") as folder, prometheus(raw, Path(folder)) as client:
        made = recording.dump(taken(raw, digest, client, boards))
    if given.check:
        ours, theirs = (json.loads(gzip.decompress(data)) for data in (made, given.out.read_bytes()))
        found = list(itertools.islice(differences(ours, theirs), 20))
        print("\n".join([f"{given.out}: differs; run: make recorded", *found]) if found else f"{given.out}: as the boards ask")
        return 1 if found else 0
    given.out.write_bytes(made)
    empty = sum(
        1
        for board in json.loads(gzip.decompress(made))["boards"].values()
        for one in board["queries"].values()
        if not one["series"]
    )
    print(f"{given.out}: {len(boards)} boards, {len(made) / 1000:.0f} kB, {empty} questions without an answer")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Failed, BadInput) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
