"""Evidence to verdict: us or them, hypotheses for and against, the next command with its target filled in. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Final

from truegreen.core.words import triage as table
from truegreen.core.words.triage import THEM, US, Hypothesis
from truegreen.evaluation.provider.verdict import BOTH, NOT_SURE, Fused, fuse
from truegreen.runbook import changes, signs
from truegreen.runbook.clean import clean
from truegreen.runbook.model import RULED_OUT, SUPPORTED, UNKNOWN, Answer, Change, Evidence, Finding, Verdict

RELEVANCE_FALL: Final = 0.05
"""A fall of the mean retrieval relevance by more than this speaks for retrieval (the bound of `truegreen validate`)."""
RISE: Final = 1.5
LEAST: Final = 0.01
"""A bad share speaks for its hypothesis when it is 1.5 times what it was before and at least 1 %."""
OLD_INDEX: Final = 86_400
"""Seconds: the bound of the ready-made SLO `index_freshness`."""
_COMPONENTS: Final = (
    ("prompt", "prompt"),
    ("guardrail", "guardrail"),
    ("tool schema", "tool_schema"),
    ("embedding", "retrieval_index"),
)
"""A word in a hypothesis about a change of our own, and the component that it is about."""
_WAYS: Final = {"retrieval_index": "index", "guardrail": "guardrail", "tool_schema": "tools"}
"""A component of the snapshot and what `truegreen rollback` calls it."""
_ORDER: Final = (SUPPORTED, UNKNOWN, RULED_OUT)


def judge(evidence: Evidence) -> Verdict:
    """The verdict."""
    theirs, ours = changes.served(evidence), changes.ours(evidence)
    both = (*theirs, *ours)
    rows = table.rows(evidence.failure_mode, evidence.pillar)
    hypotheses = dict.fromkeys(h for row in rows for h in row.hypotheses)
    findings = tuple(sorted((_finding(h, evidence, theirs, ours) for h in hypotheses), key=lambda f: _ORDER.index(f.state)))
    fused = fuse(signs.of(evidence, theirs, ours, findings))
    whose, because = _whose(evidence, theirs, ours, findings, fused)
    # What a pin replaces: the models that changed, else every model asked for, for then nobody knows which one is wrong.
    models = tuple(sorted({c.model for c in both if c.model} or {s.model for s in evidence.served if s.after > 0}))
    return Verdict(
        whose, because, findings, both, changes.same(evidence, both), _commands(evidence, whose, theirs, ours),
        rows[0].board if rows else "", models, fused.lines(),
    )  # fmt: skip


def _whose(
    evidence: Evidence, theirs: tuple[Change, ...], ours: tuple[Change, ...], findings: tuple[Finding, ...], fused: Fused
) -> tuple[str, str]:
    if evidence.start is None:
        return NOT_SURE, "the counts show no moment at which the ratio rose"
    if fused.whose == BOTH and theirs and ours:
        return BOTH, f"the provider's model and our {_names(ours)} changed at the same time"
    if fused.whose == THEM and theirs:
        return THEM, f"served model changed: {theirs[0].old} -> {theirs[0].new}"
    if fused.whose == US and ours:
        return US, f"our own change: {', '.join(_moved(c) for c in ours)}"
    strong = [f for f in findings if f.state == SUPPORTED and f.whose == fused.whose]
    if fused.whose != NOT_SURE and not theirs and not ours and strong:
        return fused.whose, f"{strong[0].says}: {strong[0].because}"
    if fused.whose != NOT_SURE:
        return fused.whose, fused.because()
    if (
        theirs
        or ours
        or any(sign.weight.them or sign.weight.us for sign in fused.signs if sign.weight.them > 0 or sign.weight.us > 0)
    ):
        return NOT_SURE, f"the signs do not agree, or not far enough (log odds them {fused.them:+.1f}, us {fused.us:+.1f})"
    return NOT_SURE, "nothing that we can see began to serve near the onset"


def _finding(hypothesis: Hypothesis, evidence: Evidence, theirs: tuple[Change, ...], ours: tuple[Change, ...]) -> Finding:
    state, because = _weigh(hypothesis, evidence, theirs, ours)
    return Finding(hypothesis.says, hypothesis.whose, state, because)


def _weigh(hypothesis: Hypothesis, evidence: Evidence, theirs: tuple[Change, ...], ours: tuple[Change, ...]) -> tuple[str, str]:
    name = hypothesis.query
    if name == "served_model":
        return _served(evidence, theirs)
    if name == "snapshot_change":
        return _component(evidence, ours, next((c for word, c in _COMPONENTS if word in hypothesis.says), ""))
    if name == "index_version":
        return _component(evidence, ours, "retrieval_index")
    if name == "retrieval_relevance" and evidence.relevance:
        before, after = evidence.relevance
        said = f"mean relevance {after:.2f} (was {before:.2f})"
        return (SUPPORTED, said) if before - after > RELEVANCE_FALL else (RULED_OUT, said)
    answer = evidence.answers.get(name)
    if answer is None or not answer.after:
        return UNKNOWN, "no data"
    return _JUDGES.get(name, _share)(answer)


def _served(evidence: Evidence, theirs: tuple[Change, ...]) -> tuple[str, str]:
    if theirs:
        return SUPPORTED, f"{theirs[0].old} -> {theirs[0].new}"
    if not any(s.before > 0 for s in evidence.served) or not any(s.after > 0 for s in evidence.served):
        return UNKNOWN, "no served models were seen on both sides of the onset"
    return RULED_OUT, "the same served models as before"


def _component(evidence: Evidence, ours: tuple[Change, ...], component: str) -> tuple[str, str]:
    mine = [c for c in ours if component in ("", c.component)]
    if mine:
        return SUPPORTED, ", ".join(_moved(c) for c in mine)
    stayed = changes.same(evidence, ours)
    if component in stayed or (not component and stayed):
        return RULED_OUT, f"{component or 'every component'} is the same as before"
    return UNKNOWN, f"no version of {component or 'anything'} was seen on both sides of the onset"


def _share(answer: Answer) -> tuple[str, str]:
    key, now = max(answer.after.items(), key=lambda pair: pair[1])
    was = answer.before.get(key, 0.0)
    said = f"{now:.1%} (was {was:.1%}){f' for {key}' if key else ''}"
    return (SUPPORTED, said) if now >= LEAST and now > RISE * was else (RULED_OUT, said)


def _age(answer: Answer) -> tuple[str, str]:
    key, age = max(answer.after.items(), key=lambda pair: pair[1])
    said = f"{age / 3_600:.1f} h old{f' ({key})' if key else ''}"
    return (SUPPORTED, said) if age > OLD_INDEX else (RULED_OUT, said)


def _mix(answer: Answer) -> tuple[str, str]:
    before, after = sum(answer.before.values()), sum(answer.after.values())
    if before <= 0 or after <= 0:
        return UNKNOWN, "no traffic on one side of the onset"
    keys = {*answer.before, *answer.after}
    moved = 0.5 * sum(abs(answer.before.get(k, 0) / before - answer.after.get(k, 0) / after) for k in keys)
    said = f"the mix moved by {moved:.0%}"
    return (SUPPORTED, said) if moved > changes.SHIFT else (RULED_OUT, said)


def _cohort(answer: Answer) -> tuple[str, str]:
    if len(answer.after) < 2:
        return RULED_OUT, "one cohort only"
    ranked = sorted(answer.after.items(), key=lambda pair: pair[1])
    (rest, least), (worst, most) = ranked[0], ranked[-1]
    said = f"{worst} {most:.1%}, {rest} {least:.1%}"
    # When every cohort is worse than it was, the cohort is not the cause.
    spread = all(now > RISE * answer.before.get(key, 0.0) for key, now in ranked)
    return (
        (SUPPORTED, said) if not spread and most >= LEAST and most > RISE * answer.before.get(worst, 0.0) else (RULED_OUT, said)
    )


def _growth(answer: Answer) -> tuple[str, str]:
    key, now = max(answer.after.items(), key=lambda pair: pair[1] / (answer.before.get(pair[0]) or pair[1] or 1.0))
    was = answer.before.get(key)
    if was is None:
        return UNKNOWN, "nothing to compare with"
    said = f"{now:.3g} (was {was:.3g}){f' {key}' if key else ''}"
    return (SUPPORTED, said) if now > RISE * was else (RULED_OUT, said)


def _rest(shares: Mapping[str, float]) -> Mapping[str, float]:
    return {key: 1 - value for key, value in shares.items()}


def _relevance(answer: Answer) -> tuple[str, str]:
    return _share(Answer(_rest(answer.before), _rest(answer.after)))


_JUDGES: Final[Mapping[str, Callable[[Answer], tuple[str, str]]]] = {
    "index_age": _age, "traffic_mix": _mix, "ungrounded_by_cohort": _cohort, "tokens": _growth, "seconds_per_token": _growth, "retrieval_relevance": _relevance,
}  # fmt: skip
"""How the answer of a query is read; all others are bad shares."""


def _commands(evidence: Evidence, whose: str, theirs: tuple[Change, ...], ours: tuple[Change, ...]) -> tuple[str, ...]:
    made: list[str] = []
    if whose in (THEM, BOTH) and theirs:
        old = theirs[0].old
        if old == theirs[0].new or " (" in old:
            made.append(
                f"# only the fingerprint changed behind {old.partition(' (')[0]}: no name to pin; fail over to another model"
            )
        else:
            made.append(f"truegreen contain pin-model {shlex.quote(old)} --expires 60m")
    if whose in (US, BOTH):
        for change in ours:
            name, _, version = change.old.rpartition("@")
            if change.component == "prompt" and version:
                named = f" --name {shlex.quote(name)}" if name else ""
                made.append(f"truegreen rollback prompt{named} --to {shlex.quote(version)}")
            elif change.component == "model":
                made.append(f"truegreen contain pin-model {shlex.quote(change.old)} --expires 60m")
            elif change.component in _WAYS and change.old:
                # What an index's label says of alias and collection, the configured way back knows: rollback reads it from this triage.
                to = "" if change.component == "retrieval_index" else f" --to {shlex.quote(change.old)}"
                made.append(
                    f"truegreen rollback {_WAYS[change.component]}{to}" + ("" if to else f"   # to {clean(change.old, 200)}")
                )
            else:
                made.append(
                    f"# {change.component} had no version before: take {change.new} out of service, then: truegreen validate"
                )
    if not made:
        made = [f"# {move.says}" + (f": {move.command}" if move.command else "")
                for row in table.rows(evidence.failure_mode, evidence.pillar)[:1] for move in (row.contain, row.rollback)
                if evidence.target.slo not in move.unless]  # fmt: skip
    return tuple(made)


def _moved(change: Change) -> str:
    return f"{change.component} {change.old or 'none'} -> {change.new or 'none'}"


def _names(made: tuple[Change, ...]) -> str:
    return " and ".join(c.component for c in made)
