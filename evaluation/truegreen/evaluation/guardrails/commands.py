"""`truegreen guardrail measure`: parse, call, print."""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import click

from truegreen.core import config
from truegreen.core.clients import prometheus
from truegreen.core.errors import BadInput
from truegreen.core.options import config_option, json_option
from truegreen.core.words import ready_made
from truegreen.evaluation import files
from truegreen.evaluation.agreement import Agreement, agreement
from truegreen.evaluation.guardrails import rates, report, reviews
from truegreen.evaluation.guardrails.detect import OVER, Excess, risen
from truegreen.evaluation.guardrails.model import Decision, Measured, Review
from truegreen.evaluation.plain import plain

Totals = Mapping[str, Mapping[bool, float]]
FINITE: Final = click.FloatRange(0, sys.float_info.max)


@click.command("measure")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--prometheus-url", metavar="URL", help="Where reviews (without FILE) and decisions are counted.")
@click.option("--service", help="Of a Prometheus: the service.")
@click.option("--environment", help="Of a Prometheus: the environment.")
@click.option("--days", type=click.IntRange(1, 365), default=28, show_default=True, help="Of a Prometheus: so many days.")
@click.option("--until", metavar="TIME", help="Of a Prometheus: their end, in ISO 8601 (default: now).")
@click.option(
    "--reviewers", type=click.IntRange(1, 10), default=1, show_default=True, help="Of a Prometheus: reviews of one decision."
)
@click.option("--guardrail", "only", metavar="NAME", help="This guardrail alone.")
@click.option("--blocks", type=FINITE, help="How many blocks there were, reviewed or not; of one guardrail.")
@click.option("--passes", type=FINITE, help="The same for passes.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    help="Reviews of a healthy time: whether, and at which review, errors became more.",
)
@config_option
@json_option
def guardrail_measure(
    file: Path | None, prometheus_url: str | None, service: str | None, environment: str | None, days: int, until: str | None,
    reviewers: int, only: str | None, blocks: float | None, passes: float | None, against: Path | None, config_path: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """How often guardrails block what is harmless and pass what is not, from the reviews in FILE (JSONL) or in a Prometheus."""
    if file is None and prometheus_url is None:
        raise BadInput("FILE: reviews come from a file or a Prometheus; write the file's name or --prometheus-url")
    if (blocks is None) != (passes is None):
        raise BadInput("--blocks and --passes belong together; write both")
    if against is not None and file is None:
        raise BadInput("--against compares reviews one by one; write the FILE that has them")
    notes: list[str] = []
    counts, totals = _asked(prometheus_url, service, environment, days, until) if prometheus_url else ({}, {})
    read = _read(file, notes) if file else []
    if file:
        found, agree = _of_reviews(read, totals)
    else:
        found = [_of_counts(name, counts[name], totals.get(name), reviewers) for name in sorted(counts)]
        agree = {}
        notes.append("a Prometheus counts reviews, not decisions: who disagrees with whom is in a file of reviews only")
    chosen = [one for one in found if only in (None, one.guardrail)]
    if not chosen:
        there = ", ".join(sorted(plain(one.guardrail) for one in found)) or "none"
        raise BadInput(
            f"no review of {f'the guardrail {only!r}' if only else 'any guardrail'} is there; there are reviews of: {there}"
        )
    if blocks is not None and passes is not None:
        if len(chosen) > 1:
            raise BadInput(
                f"--blocks and --passes are of one guardrail, and there are {len(chosen)}; choose one with --guardrail"
            )
        one = chosen[0]
        for option, side, count in (("blocks", one.blocks, blocks), ("passes", one.passes, passes)):
            if not count >= side.reviewed:  # also no number
                raise BadInput(
                    f"--{option}: found {count:g}, and {side.reviewed:g} of them are reviewed; write how many there were in all"
                )
        chosen = [rates.measured(one.guardrail, rates.with_total(one.blocks, blocks), rates.with_total(one.passes, passes))]
    more = _more(read, _read(against, notes), [one.guardrail for one in chosen], notes) if against else {}
    promised = _objectives(config_path, service or "")
    if as_json:
        made = [report.figures(one, agree.get(one.guardrail), more.get(one.guardrail, {}), promised) for one in chosen]
        click.echo(json.dumps({"guardrails": made, "notes": notes}))
        return
    said = [report.lines(one, agree.get(one.guardrail), more.get(one.guardrail, {}), promised) for one in chosen]
    click.echo("\n".join([*(line for lines in said for line in lines), *(f"note      {note}" for note in notes)]))


def _read(path: Path, notes: list[str]) -> list[Review]:
    broken = files.Broken()
    found = reviews.read(path, broken)
    notes += files.broken_lines(broken)
    return found


def _objectives(config_path: Path | None, service: str) -> dict[str, float]:
    """What the SLOs of blocks and of passes promise, 0 to 1: those of the configuration, else the ready-made ones."""
    of_app = config_path is not None and config_path.suffix == ".json"
    known = {} if of_app else {slo.name: slo for slo in config.load(config_path, os.environ).slos}
    slos = (known.get(name, ready_made.BY_NAME[name]) for name in (report.OVER, report.UNDER))
    found = {slo.name: slo.objectives.get(service, slo.objective) for slo in slos}
    return {name: float(objective) for name, objective in found.items() if isinstance(objective, Decimal)}


def _decided(read: Sequence[Review]) -> dict[str, list[Decision]]:
    try:
        return rates.decisions(read)
    except ValueError as error:
        raise BadInput(f"{error}; write one of the two reviews anew") from None


def _asked(
    url: str, service: str | None, environment: str | None, days: int, until: str | None
) -> tuple[Mapping[str, Mapping[str, float]], Totals]:
    if not service or not environment:
        raise BadInput("--service and --environment: a Prometheus is asked for one service in one environment; write both")
    try:
        end = datetime.fromisoformat(until) if until else datetime.now(UTC)
    except ValueError:
        raise BadInput(f"--until: found {until!r}, write a time such as 2026-11-01T00:00:00+00:00") from None
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    server = prometheus.connect(url, hint="start it, or name another with --prometheus-url")
    return reviews.from_prometheus(server, service, environment, days, end.timestamp())


def _of_reviews(read: Sequence[Review], totals: Totals) -> tuple[list[Measured], dict[str, Agreement | None]]:
    decided, found, agree = _decided(read), [], {}
    for name in sorted(decided):
        mine = [review for review in read if review.guardrail == name]
        counted = totals.get(name)
        known = counted or rates.totals(decided[name], all(review.rate is not None for review in mine))
        sides = (
            rates.side([one for one in decided[name] if one.blocked == blocked], known[blocked], reckoned=counted is None)
            for blocked in (True, False)
        )
        found.append(rates.measured(name, *sides))
        agree[name] = agreement(_pairs(mine))
    return found, agree


def _pairs(found: Sequence[Review]) -> list[tuple[object, object]]:
    """What the first two reviewers of each decision said of it."""
    said: dict[str, dict[str, bool]] = defaultdict(dict)
    for place, review in enumerate(found):
        if review.decision:
            said[review.decision][review.reviewer or f"#{place}"] = review.wrong
    return [tuple(list(words.values())[:2]) for words in said.values() if len(words) > 1]  # type: ignore[misc]


def _of_counts(name: str, counts: Mapping[str, float], totals: Mapping[bool, float] | None, voices: int) -> Measured:
    sides = []
    for blocked, right, wrong in ((True, "true_positive", "false_positive"), (False, "true_negative", "false_negative")):
        bad = counts.get(wrong, 0.0)
        sides.append(rates.counted(bad, bad + counts.get(right, 0.0), totals[blocked] if totals else None, voices))
    return rates.measured(name, *sides)


def _more(
    read: Sequence[Review], healthy: Sequence[Review], names: Sequence[str], notes: list[str]
) -> dict[str, dict[str, Excess]]:
    now, before = _decided(read), _decided(healthy)
    found = {name: risen(now.get(name, []), before.get(name, [])) for name in names}
    for name in names:
        if name not in before:
            notes.append(f"{plain(name)}: no review of it is in the healthy file, so that nothing is compared")
        elif OVER not in found[name]:
            notes.append(
                f"{plain(name)}: over-triggering is not compared: for that both files need reviews of blocks and of passes, all blocks drawn "
                "at one `rate` and all passes at one, and some that were harmless"
            )
    return found
