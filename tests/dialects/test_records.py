"""Every library's spans, as it was recorded, give the same record, except for what is declared in `not_carried.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import expected
import pytest

from truegreen.core.words.dialects import Dialect
from truegreen.core.words.normalise import View, record, select
from truegreen.core.words.not_carried import CASES, DRIVERS, Driver, Left

RECORDED = Path(__file__).with_name("recorded")
DRIVEN = sorted(path.stem for path in RECORDED.glob("*.json"))
ALONE = {
    "genai_openai_and_openinference": ("genai_openai", "openinference_openai"),
    "genai_anthropic_and_native": ("genai_anthropic", "anthropic_native"),
    "traceloop_anthropic_and_native": ("traceloop_anthropic", "anthropic_native"),
}
"""A recording of two libraries at once, and the drivers whose declarations hold for the spans of each."""


def load(driver: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((RECORDED / f"{driver}.json").read_text(encoding="utf-8"))
    return found


def view(span: Mapping[str, Any]) -> View:
    events = [(event["name"], event["time"], event["attributes"]) for event in span["events"]]
    return View(span["attributes"], span["name"], events, span["start"])


def read(span: Mapping[str, Any]) -> tuple[Dialect | None, Mapping[str, Any]]:
    dialect = select(span["scope"]["name"], span["attributes"])
    return dialect, record(dialect, view(span)) if dialect else {}


def api_of(driver: str) -> str:
    return next(
        (api for word, api in (("anthropic", expected.ANTHROPIC), ("google", expected.GEMINI)) if word in driver), expected.OPENAI
    )


def declared(driver: str, dialect: str) -> Driver:
    names = ALONE.get(driver, (driver,))
    return next(DRIVERS[name] for name in names if dialect in (DRIVERS[name].dialect, "manual") or len(names) == 1)


def with_spans(driver: str) -> Mapping[str, Any]:
    """The cases of which a span is an operation."""
    return {case: spans for case, spans in load(driver)["cases"].items() if any(read(span)[1].get("operation") for span in spans)}


def compared(driver: str) -> Iterator[tuple[str, Driver, Mapping[str, Any], Mapping[str, Any]]]:
    """Case, declarations, record, expectation; an empty record where a span is missing."""
    for case, spans in with_spans(driver).items():
        groups: dict[str, list[Mapping[str, Any]]] = {}
        for span in sorted(spans, key=lambda span: span["start"]):
            dialect, found = read(span)
            if dialect is not None and found.get("operation"):
                own = declared(driver, dialect.name)
                groups.setdefault(own.dialect, []).append(found)
        for name, records in groups.items():
            wanted = expected.expectations(api_of(driver), case, records)
            for at, one in enumerate(wanted):
                yield case, declared(driver, name), records[at] if at < len(records) else {}, one


def differences(case: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for field in sorted({*found, *wanted}):
        if found.get(field) == wanted.get(field) or found.get(field) in expected.AROUND.get(field, ()):
            continue
        yield field


def holds(left: Left, case: str, field: str) -> bool:
    return field in left.fields and (case in left.cases if left.cases else case not in left.but)


def covers(left: Left, case: str, field: str, found: Mapping[str, Any]) -> bool:
    return holds(left, case, field) and left.differs == (field in found)


@pytest.mark.parametrize("driver", DRIVEN)
def test_the_record_is_the_expected_one_except_for_what_is_declared(driver: str) -> None:
    """Field by field; what is declared as missing is missing, and what is declared as different is there and different."""
    undeclared = [
        f"{case}: {field} is {found.get(field)!r}, not {wanted.get(field)!r}"
        for case, own, found, wanted in compared(driver)
        for field in differences(case, found, wanted)
        if not any(covers(left, case, field, found) for left in own.left)
    ]
    assert not undeclared, "\n".join(undeclared)


@pytest.mark.parametrize("driver", DRIVEN)
def test_what_is_declared_holds_in_every_case_that_it_names(driver: str) -> None:
    """A field that the spans of a case do carry is not declared for it, and no declaration is without a case."""
    seen: dict[tuple[str, int, str], list[bool]] = {}
    for case, own, found, wanted in compared(driver):
        differing = set(differences(case, found, wanted))
        for left in own.left:
            for field in left.fields:
                if (
                    holds(left, case, field)
                    and (field in wanted or field in differing)
                    and wanted["operation"] not in expected.WHOLE
                ):
                    seen.setdefault((case, id(left), field), []).append(field in differing and covers(left, case, field, found))
    reasons = {id(left): left.reason for one in DRIVERS.values() for left in one.left}
    wrong = [f"{case}: {field} is there; declared: {reasons[of]}" for (case, of, field), given in seen.items() if not any(given)]
    own_names = [name for name in ALONE.get(driver, (driver,)) if name == driver or name not in DRIVEN]
    used = {(of, field) for _, of, field in seen}
    wrong += [
        f"{field}: no case is without it; declared: {left.reason}"
        for name in own_names
        for left in DRIVERS[name].left
        for field in left.fields
        if (id(left), field) not in used
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("library", DRIVERS)
def test_every_case_has_a_span_or_a_reason_why_not(library: str) -> None:
    """A reason holds: of what is declared as played no span is an operation, nor is there one; what cannot be played is not."""
    files = [library] if library in DRIVEN else [pair for pair, names in ALONE.items() if library in names]
    made: dict[str, bool] = {}
    spanless: dict[str, bool] = {}
    for file in files:
        for case, spans in load(file)["cases"].items():
            records = [(dialect, found) for dialect, found in map(read, spans) if dialect is not None]
            own = [found for dialect, found in records if declared(file, dialect.name) is DRIVERS[library]]
            made[case] = any(found.get("operation") for found in own)
            spanless[case] = not own
    reasons = {case: without for without in DRIVERS[library].without for case in without.cases}
    assert {case for case, any_span in made.items() if not any_span} == {case for case, one in reasons.items() if one.played}
    assert {case: spanless[case] for case, one in reasons.items() if one.played} == {
        c: o.read for c, o in reasons.items() if o.played
    }
    assert set(CASES) - set(made) == {case for case, one in reasons.items() if not one.played}


def test_every_driver_has_a_recording_and_every_recording_its_declarations() -> None:
    """A library that is listed is recorded."""
    recorded = {path.stem for path in RECORDED.glob("*.json")}
    drivers = {path.stem for path in RECORDED.with_name("drivers").glob("*.py")}
    assert recorded == drivers
    assert {name for driver in recorded for name in ALONE.get(driver, (driver,))} == set(DRIVERS)
    for driver in recorded - set(ALONE):
        read_as = {dialect.name for spans in load(driver)["cases"].values() for span in spans if (dialect := read(span)[0])}
        assert DRIVERS[driver].dialect in read_as
