"""Plays the cases of a driver and writes the spans that its library made, the same bytes every time.

A driver is a table of functions, one for each case, and one call:

    def cases(url: str) -> dict[str, Callable[[], object]]:
        client = OpenAI(base_url=url, max_retries=0)
        return {"chat": lambda: client.chat.completions.create(...), "error_429": lambda: must_raise(RateLimitError, ...)}

    if __name__ == "__main__":
        recorder.main("genai_openai", ["opentelemetry-instrumentation-genai-openai", "openai"], serve, cases, prepare=instrument,
                      fresh={"chat_no_content": {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "NO_CONTENT"}})

`serve` is a context manager that yields the URL of a local server. `prepare` runs before `cases` is asked, with the global provider already
set. A case of which the library makes no span is recorded without one, and `not_carried.py` says why. A case in `fresh` is played by a process of its own with those variables set (libraries read them at import). `flush` is for a library
that ends its spans on a thread of its own. Run: `PYTHONPATH=tests/dialects python tests/dialects/drivers/NAME.py --out FILE`.

Standard library and OpenTelemetry only: this runs in the environment of each library, without truegreen.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import site
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

Cases = Mapping[str, Callable[[], object]]

SECOND = 1_000_000_000
FIRST_OUTPUT = SECOND // 4
"""From the start of a span to each of its events, and to any other moment that its attributes name."""
LASTED = SECOND
LOCAL_PORT = 8080

_FIXED = {
    "server.port": LOCAL_PORT,
    "net.peer.port": LOCAL_PORT,
    "gen_ai.response.time_to_first_chunk": FIRST_OUTPUT / SECOND,
    "exception.stacktrace": "Traceback",
}
"""Attributes whose value is of the run and not of the dialect."""

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d(?:\.\d+)?(Z|[+-]\d\d:\d\d)?")
_COMPACT_ISO = re.compile(r"\d{8}T\d{12}Z")
_PORT = re.compile(r"\b(127\.0\.0\.1|localhost)(:|%3A)\d+")
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")
_FRAMES = re.compile(r"(Traceback \(most recent call last\):\n)(?:[ \t]+[^\n]*\n|\n(?=\n*[ \t]))+")
_ROOTS = {
    sys.prefix,
    sys.base_prefix,
    str(Path(sys.base_prefix).resolve()),
    str(Path.home()),
    str(Path.cwd()),
    *site.getsitepackages(),
}
_PATHS = re.compile(
    "(?:" + "|".join(re.escape(root) for root in sorted(_ROOTS - {"/"}, key=len, reverse=True)) + r")(?:/[^\s\"'\\,;:)]*)?",
)


def must_raise(error: type[BaseException] | tuple[type[BaseException], ...], call: Callable[[], object]) -> None:
    """Make a call that has to fail with `error`; raises AssertionError when it does not."""
    try:
        call()
    except error:
        return
    raise AssertionError(f"expected {error}, nothing was raised")


def main(
    driver: str,
    packages: Sequence[str],
    serve: Callable[[], AbstractContextManager[str]],
    cases: Callable[[str], Cases],
    *,
    prepare: Callable[[], object] = lambda: None,
    flush: Callable[[], object] = lambda: None,
    fresh: Mapping[str, Mapping[str, str]] | None = None,
    fixed: Mapping[str, Any] | None = None,
) -> None:
    """Play the cases, write `--out` (see the top of this file).

    Args:
        packages: The distributions whose versions are recorded; opentelemetry-sdk always is.
        fresh: Case to environment variables: it is played by a process of its own.
        fixed: Attribute to the value that stands for one that differs from run to run.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--case", help="only this one")
    arguments = parser.parse_args()
    exporter = install()
    played = {}
    with serve() as url:
        prepare()
        for name, play in cases(url).items():
            if name != arguments.case if arguments.case else name in (fresh or {}):
                continue
            exporter.clear()
            play()
            flush()
            played[name] = as_json(exporter.get_finished_spans(), fixed=fixed)
            print(f"{driver} {name}: {len(played[name])} spans")
    if not arguments.case:
        played |= {name: _elsewhere(name, variables) for name, variables in (fresh or {}).items()}
    write(arguments.out, driver, packages, played)


def _elsewhere(case: str, variables: Mapping[str, str]) -> list[dict[str, Any]]:
    """The spans of one case, played by another run of this script."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "case.json"
        command = [sys.executable, sys.argv[0], "--out", str(out), "--case", case]
        subprocess.run(command, check=True, timeout=120, env={**os.environ, **variables})
        spans: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))["cases"][case]
        return spans


def install() -> InMemorySpanExporter:
    """Set the process's tracer provider; what ends is kept in the exporter that comes back."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


def write(path: Path, driver: str, packages: Collection[str], cases: Mapping[str, list[dict[str, Any]]]) -> None:
    """Write a recording: sorted keys, one space of indent, a newline at the end."""
    versions = {name: version(name) for name in {*packages, "opentelemetry-sdk"}}
    record = {"driver": driver, "versions": versions, "cases": cases}
    path.write_text(json.dumps(record, sort_keys=True, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def as_json(spans: Sequence[ReadableSpan], *, fixed: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Spans in the order of their end; ids, times, addresses and paths replaced by fixed ones.

    The n-th span to start is `sn` and starts at second n; `s0` is a parent that was not recorded.
    """
    started = sorted(spans, key=lambda span: span.start_time or 0)
    ids: dict[str, str] = {}
    ordinals: dict[int, int] = {}
    for number, span in enumerate(started, 1):
        context = span.get_span_context()
        assert context is not None
        ordinals[context.span_id] = number
        ids[f"{context.span_id:016x}"] = f"s{number}"
        ids.setdefault(f"{context.trace_id:032x}", f"t{1 + sum(word.startswith('t') for word in ids.values())}")
    uuids: dict[str, str] = {}
    ended = sorted(spans, key=lambda span: span.end_time or 0)
    return [_span(span, ids, ordinals, uuids, {**_FIXED, **(fixed or {})}) for span in ended]


def _span(
    span: ReadableSpan,
    ids: Mapping[str, str],
    ordinals: Mapping[int, int],
    uuids: dict[str, str],
    fixed: Mapping[str, Any],
) -> dict[str, Any]:
    """One span in the words of the recordings."""
    context, scope = span.get_span_context(), span.instrumentation_scope
    assert context is not None
    start = ordinals[context.span_id] * SECOND

    def scrubbed(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
        items = sorted((attributes or {}).items())
        return {key: fixed[key] if key in fixed else _scrub(value, ids, uuids, start + FIRST_OUTPUT) for key, value in items}

    return {
        "scope": {"name": scope.name if scope else "", "version": scope.version if scope else None},
        "name": _scrub(span.name, ids, uuids, start),
        "kind": span.kind.name,
        "trace": ids[f"{context.trace_id:032x}"],
        "span": ids[f"{context.span_id:016x}"],
        "parent": ids.get(f"{span.parent.span_id:016x}", "s0") if span.parent else None,
        "start": start,
        "end": start + LASTED,
        "status": {
            "code": span.status.status_code.name,
            "description": _scrub(span.status.description, ids, uuids, start),
        },
        "attributes": scrubbed(span.attributes),
        "events": [
            {"name": event.name, "time": start + FIRST_OUTPUT, "attributes": scrubbed(event.attributes)} for event in span.events
        ],
    }


def _scrub(value: Any, ids: Mapping[str, str], uuids: dict[str, str], moment: int) -> Any:
    """A value without what differs from run to run; `moment` (ns) is what every time in it becomes."""
    if isinstance(value, list | tuple):
        return [_scrub(item, ids, uuids, moment) for item in value]
    if not isinstance(value, str):
        return value
    text = _FRAMES.sub(r"\1", value)
    for found in sorted(ids, key=len, reverse=True):  # a span's id may begin a trace's
        text = text.replace(found, ids[found])
    text = _UUID.sub(lambda match: uuids.setdefault(match[0], f"00000000-0000-0000-0000-{len(uuids) + 1:012d}"), text)
    at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=moment // 1000)
    text = _ISO.sub(lambda match: f"{at:%Y-%m-%d}{match[1]}{at:%H:%M:%S.%f}{match[2] or ''}", text)
    text = _COMPACT_ISO.sub(f"{at:%Y%m%dT%H%M%S%f}Z", text)
    text = _PORT.sub(rf"\1\g<2>{LOCAL_PORT}", text)
    text = _ADDRESS.sub("0x0", text)
    text = _PATHS.sub("/path", text)
    return text.replace(socket.gethostname(), "host")
