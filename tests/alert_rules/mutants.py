"""Breaks generated rules one place at a time and asks the generated promtool tests whether they notice.

All mutants of a rule run beside the rule itself, under names of their own, so that one run of promtool judges them all. A mutant is caught where a
check that the unbroken rule passes fails for it; checks that the unbroken rule fails alone (they speak of other alerts of the same name) say nothing.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from truegreen.alert_rules.text import number
from truegreen.alert_rules.windows import duration, parse
from truegreen.core.words.records import WINDOWS

THRESHOLD, WINDOW, LABEL, COMPARISON, RUNG, WAIT = "threshold", "window", "label", "comparison", "rung", "wait"
FACTORS = (Decimal("1.25"), Decimal("0.8"))
"""A number is made a quarter larger and a fifth smaller, a duration twice and half as long."""

_TOKEN = re.compile(
    r"(?P<matcher>(?P<label>[a-z_]+)(?P<how>=~|!~|!=|=)(?P<value>\"(?:[^\"\\]|\\.)*\"))"
    r"|(?P<text>\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<range>\[(?P<over>[0-9a-z]+)(?P<step>:[0-9a-z]+)?\])"
    r"|(?P<offset>offset (?P<ago>[0-9a-z]+))"
    r"|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<compare>==|!=|>=|<=|>|<)"
)
_TIMES_0 = re.compile(r"\b0 \* (?:sum by \([^()]*\) \(increase\()?[^()]*$")
_LENGTHS = {"s", "m", "h", "d"}
_OPPOSITE = {">": "<", "<": ">", ">=": "<", "<=": ">", "==": "!=", "!=": "==", "and": "unless", "unless": "and"}
_RECORDED = re.compile(rf"(.*:(?:increase|ratio))({'|'.join(WINDOWS)})$")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule with one thing broken.

    Args:
        rule: as it stands in the rule file, broken.
        at: group and position of the rule that it breaks.
    """

    rule: Mapping[str, Any]
    at: tuple[int, int]
    kind: str
    said: str

    @property
    def name(self) -> str:
        """The rule's name and what tells it from others of the same name."""
        labels = self.rule.get("labels", {})
        told = [
            str(labels[key]) for key in ("burn_tier", "mode", "sev", "slo", "reason") if labels.get(key) not in (None, "none")
        ]
        return "/".join([str(self.rule.get("alert") or self.rule["record"]), *(told if "alert" in self.rule else [])])


def mutants(rule: Mapping[str, Any], at: tuple[int, int]) -> Iterator[Mutant]:
    """All mutants of one rule."""
    expr = str(rule["expr"])
    for kind, said, broken in _expressions(expr):
        yield Mutant({**rule, "expr": broken}, at, kind, said)
    for key in ("for", "keep_firing_for"):
        if key in rule:
            yield from (
                Mutant({**rule, key: longer}, at, WAIT, f"{key} {rule[key]} -> {longer}") for longer in _durations(str(rule[key]))
            )


def _expressions(expr: str) -> Iterator[tuple[str, str, str]]:
    for found in _TOKEN.finditer(expr):
        near = expr[max(found.start() - 30, 0) : found.end() + 12].replace("\n", " ")
        times = " (times 0)" if _TIMES_0.search(expr[: found.start()]) else ""
        for kind, new in _broken(found, expr):
            yield (
                kind,
                f"{found[0]} -> {new or 'nothing'} in …{near}… at {found.start()}{times}",
                expr[: found.start()] + new + expr[found.end() :],
            )
    for matcher in sorted(
        {found["matcher"] for found in _TOKEN.finditer(expr) if found["matcher"] and found["how"] in ("!=", "!~")}
    ):
        if expr.count(matcher) > 1:
            weak = re.sub(r'"[^"]*"$', '"broken"', matcher)
            yield LABEL, f"{matcher} -> {weak} everywhere", expr.replace(matcher, weak)
    for start, end in _rungs(expr):
        yield RUNG, f"without {' '.join(expr[start:end].split())[:90]}", _without(expr, start, end)


def _broken(found: re.Match[str], expr: str) -> Iterator[tuple[str, str]]:
    if found["matcher"]:
        yield LABEL, f'{found["label"]}{found["how"]}"broken"'
        yield LABEL, f"{found['label']}{ {'=': '!=', '!=': '=', '=~': '!~', '!~': '=~'}[found['how']] }{found['value']}"
    elif found["range"]:
        yield from ((WINDOW, f"[{other}{found['step'] or ''}]") for other in _durations(found["over"]))
    elif found["offset"]:
        yield from ((WINDOW, f"offset {other}") for other in _durations(found["ago"]))
    elif found["name"]:
        if found["name"] in ("and", "unless"):
            yield COMPARISON, _OPPOSITE[found["name"]]
        elif recorded := _RECORDED.match(found["name"]):
            here = WINDOWS.index(recorded[2])
            yield from (
                (WINDOW, recorded[1] + other) for other in (*WINDOWS[max(here - 1, 0) : here], *WINDOWS[here + 1 : here + 2])
            )
    elif found["number"]:
        value = Decimal(found["number"])
        yield from (
            (THRESHOLD, number(v)) for v in ((Decimal(1), Decimal(10) ** 9) if value == 0 else (value * f for f in FACTORS))
        )
    elif found["compare"]:
        yield COMPARISON, _OPPOSITE[found["compare"]]


def _durations(text: str) -> tuple[str, ...]:
    if text[-1:] not in _LENGTHS or not text[:-1].isdigit():
        return ()
    seconds = parse(text)
    return duration(seconds * 2), duration(seconds // 2)


def _rungs(expr: str) -> list[tuple[int, int]]:
    # What stands between `or`s, at the depth at which the first of them stands.
    depth, ors, depths = 0, [], {}
    for found in re.finditer(r"\"(?:[^\"\\]|\\.)*\"|[(){}]|\bor\b", expr):
        if found[0] in "({":
            depth += 1
        elif found[0] in ")}":
            depth -= 1
        elif found[0] == "or":
            ors.append(found.span())
            depths[found.span()] = depth
    if not ors:
        return []
    least = min(depths.values())
    edges = [each for each in ors if depths[each] == least]
    starts = [_opens(expr, edges[0][0]), *(end for _, end in edges)]
    ends = [*(start for start, _ in edges), _closes(expr, edges[-1][1])]
    return list(zip(starts, ends, strict=True))


def _opens(expr: str, at: int) -> int:
    depth = 0
    for place in range(at - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(expr[place], 0)
        if depth < 0:
            return place + 1
    return 0


def _closes(expr: str, at: int) -> int:
    depth = 0
    for place in range(at, len(expr)):
        depth += {"(": 1, ")": -1}.get(expr[place], 0)
        if depth < 0:
            return place
    return len(expr)


def _without(expr: str, start: int, end: int) -> str:
    before, after = expr[:start].rstrip(), expr[end:]
    matching = re.compile(r"\bor\b(\s*on \([^)]*\))?")
    if before.endswith("or"):
        return before[:-2] + after
    found = matching.search(after)
    assert found is not None
    return expr[:start] + after[found.end() :]


EQUIVALENT: tuple[tuple[str, str, str], ...] = (
    (
        r"truegreen:slo_bad_minute:bool",
        r'^service!="truegreen-canary" -> service!="broken" in …ment\) \(truegreen_drift_zscore',
        "the other bound, which it is joined with, leaves the canary out as well; broken everywhere at once it is caught",
    ),
    (
        r"Truegreen(Budget|Cohort)Burn/.*/shadow",
        r'^environment!="[^"]*" -> environment!="broken" in',
        "what it is joined with leaves the environment out as well; broken everywhere at once it is caught",
    ),
    (
        r"Truegreen(EvaluatorStalled|SamplingFell|TrafficCeased|ServedModelChanged|VersionChanged|CalibrationMismatch)/",
        r'^service!="truegreen-canary" -> service!="broken" in',
        "what it is joined with leaves the canary out as well; broken everywhere at once it is caught",
    ),
    (
        r"Truegreen(NoBaseline|NoPassages)/",
        r'^service!="truegreen-canary" -> service!="broken" in …green_evaluated_answers',
        "it is taken away from skips that leave the canary out",
    ),
    (
        r"",
        r"^\[.*\(times 0\)$",
        "0 times a count: only whether it is there matters, and what it is compared with has the unbroken window",
    ),
    (
        r"truegreen:slo_bad:increase",
        r'^service!="truegreen-canary" -> service!="broken" in …\w*_(count|bucket)\{',
        "what it is taken from, or what is taken from it, leaves the canary out as well; broken everywhere at once it is caught",
    ),
    (r"TruegreenWatchdog", r"^1 -> ", "an alert fires whatever its value"),
)
"""Mutants that no test can tell from the rule: name, what was broken, why."""


def equivalent(mutant: Mutant) -> str:
    """Why nothing can tell the mutant from its rule; empty where something can."""
    return next((why for name, said, why in EQUIVALENT if re.search(name, mutant.name) and re.search(said, mutant.said)), "")


# Running them


def escaped(name: str, number_: int) -> str:
    """The name under which a mutant runs."""
    return f"{name}__m{number_}"


@dataclass(frozen=True, slots=True)
class Fate:
    """Whether a mutant was caught, and by what."""

    mutant: Mutant
    caught: bool
    by: str


def judge(folder: Path, tests: Sequence[str], promtool: Path, only: Callable[[Mutant], bool] = lambda _: True) -> list[Fate]:
    """Try the mutants of every rule of a generated folder.

    Args:
        folder: where the generated rule file and its tests are.
        tests: the names of the generated tests.
        only: which mutants to try.
    """
    rules = yaml.safe_load((folder / "truegreen.rules.yml").read_text("utf-8"))["groups"]
    loaded = {name: yaml.safe_load((folder / name).read_text("utf-8")) for name in tests}
    fates: list[Fate] = []
    for g, group in enumerate(rules):
        for r, rule in enumerate(group["rules"]):
            wanted = [m for m in mutants(rule, (g, r)) if only(m) and not equivalent(m)]
            for fate in _judge_rule(rules, loaded, wanted, promtool) if wanted else []:
                # Alerts of other mutants are series that a broken selector may read: who is left alive is asked again, alone.
                fates += [fate] if fate.caught or len(wanted) == 1 else _judge_rule(rules, loaded, [fate.mutant], promtool)
    return fates


def _judge_rule(
    rules: Sequence[Mapping[str, Any]], tests: Mapping[str, Any], wanted: Sequence[Mutant], promtool: Path
) -> list[Fate]:
    g, r = wanted[0].at
    whole = rules[g]["rules"][r]
    numbered = {0: Mutant(whole, (g, r), "", "unbroken"), **dict(enumerate(wanted, 1))}
    caught: dict[int, str] = {}
    for name, test in tests.items():
        left = {n: m for n, m in numbered.items() if n not in caught}
        # One that is asked alone has not even the unbroken rule beside it.
        runs = [left] if len(wanted) > 1 else [{n: m} for n, m in left.items()]
        failed = {n: checks for run in runs for n, checks in _run(rules, test, whole, run, promtool, caught).items()}
        alone = failed.get(0, set())
        for n, checks in failed.items():
            if checks - alone:
                caught[n] = f"{name}: {min(checks - alone)}"
    return [Fate(m, n in caught, caught.get(n, "")) for n, m in numbered.items() if n]


def _run(rules: Sequence[Mapping[str, Any]], test: Mapping[str, Any], whole: Mapping[str, Any], left: Mapping[int, Mutant], promtool: Path,
         caught: dict[int, str]) -> dict[int, set[str]]:  # fmt: skip
    g, r = next(iter(left.values())).at
    key = "alert" if "alert" in whole else "record"
    name = str(whole[key])
    place = re.compile(rf"(?<![a-zA-Z0-9_:]){re.escape(name)}(?![a-zA-Z0-9_:])")
    # A check that names the label values of another alert of the same name would fail for the unbroken rule, and is left out.
    mine = [t for t in (_asks(t, place, whole) for t in test["tests"]) if t]
    if not mine:
        return {}
    needed = _closure(rules, (g, r), [t for m in left.values() for t in [str(m.rule["expr"])]])
    read = "\n".join(str(rules[a]["rules"][b]["expr"]) for a, b in needed) + "\n".join(str(m.rule["expr"]) for m in left.values())
    read += "\n".join(case["expr"] for t in mine for case in t["promql_expr_test"])
    while True:
        groups = []
        for a, group in enumerate(rules):
            kept = []
            for b, rule in enumerate(group["rules"]):
                if (a, b) == (g, r):
                    kept += [{**m.rule, key: escaped(name, n)} for n, m in left.items() if n not in caught]
                if (a, b) in needed:
                    kept.append(rule)
            if kept:
                groups.append(
                    {"name": group["name"], "rules": [{k: v for k, v in rule.items() if k != "annotations"} for rule in kept]}
                )
        made = [
            {
                **t,
                "input_series": [s for s in t["input_series"] if s["series"].split("{", 1)[0] in read],
                "promql_expr_test": [
                    {**case, "expr": place.sub(escaped(name, n), case["expr"])}
                    for case in t["promql_expr_test"] for n in left if n not in caught
                ],
            }
            for t in mine
        ]  # fmt: skip
        order = [each for each in test["group_eval_order"] if any(group["name"] == each for group in groups)]
        document = {**test, "rule_files": ["mutants.rules.yml"], "group_eval_order": order, "tests": made}
        code, said = _asked(promtool, {"mutants.rules.yml": {"groups": groups}, "mutants.test.yml": document})
        # An expression that cannot be evaluated ends the run for all: that mutant is caught, and the others are asked again.
        broken = {int(n) for n in re.findall(rf"{re.escape(name)}__m([0-9]+)[^\n]*err:", said)} - set(caught)
        if not broken and "err:" in said:
            raise AssertionError(said[:2000])
        if 0 in broken:
            raise AssertionError(said[:2000])
        if not broken:
            break
        caught.update(dict.fromkeys(broken, "cannot be evaluated"))
    failed: dict[int, set[str]] = {}
    for expr, at in re.findall(r'expr: ("(?:[^"\\]|\\.)*"), time: (\w+)', said):
        for n in re.findall(r"__m([0-9]+)", expr):
            failed.setdefault(int(n), set()).add(re.sub(r"__m[0-9]+", "", f"{expr} at {at}"))
    if not failed and code != 0:
        raise AssertionError(said[:2000])
    return failed


def _asked(promtool: Path, files: Mapping[str, Any]) -> tuple[int, str]:
    with TemporaryDirectory() as folder:
        for name, document in files.items():
            (Path(folder) / name).write_text(yaml.dump(document, Dumper=yaml.CSafeDumper), "utf-8")
        command = [promtool, "test", "rules", *(Path(folder) / name for name in files if "test" in name)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    return ran.returncode, ran.stdout + ran.stderr


def _asks(test: Mapping[str, Any], place: re.Pattern[str], rule: Mapping[str, Any]) -> Mapping[str, Any] | None:
    labels = rule.get("labels", {})

    def speaks(expr: str) -> bool:
        if not place.search(expr):
            return False
        if "alert" not in rule:
            return True
        named = {key: value for key, value in re.findall(r'([a-z_]+)="([^"]*)"', expr) if key in labels}
        return all(str(labels[key]) == value for key, value in named.items())

    cases = [case for case in test["promql_expr_test"] if speaks(case["expr"])]
    return {**test, "promql_expr_test": cases} if cases else None


def _closure(rules: Sequence[Mapping[str, Any]], broken: tuple[int, int], texts: Sequence[str]) -> set[tuple[int, int]]:
    """The rules that some texts read, directly or not."""
    by_name: dict[str, list[tuple[int, int]]] = {}
    for a, group in enumerate(rules):
        for b, rule in enumerate(group["rules"]):
            by_name.setdefault("ALERTS" if "alert" in rule else str(rule["record"]), []).append((a, b))
    found: set[tuple[int, int]] = set()
    queue = list(texts)
    while queue:
        for word in set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", queue.pop())) & set(by_name):
            for at in by_name[word]:
                if at not in found and (at != broken):
                    found.add(at)
                    queue.append(str(rules[at[0]]["rules"][at[1]]["expr"]))
    return found


def table(fates: Sequence[Fate]) -> str:
    """Caught of all, by rule and by kind."""
    rows: dict[str, list[int]] = {}
    for fate in fates:
        for key in (f"kind  {fate.mutant.kind}", f"rule  {fate.mutant.name}", "all"):
            row = rows.setdefault(key, [0, 0])
            row[0] += fate.caught
            row[1] += 1
    return "\n".join(
        f"{caught:5d} of {all_:5d}  {100 * caught / all_:5.1f} %  {key}" for key, (caught, all_) in sorted(rows.items())
    )


def renamed(fate: Fate, kind: str) -> Fate:
    """The same fate counted under another kind."""
    return replace(fate, mutant=replace(fate.mutant, kind=kind))
