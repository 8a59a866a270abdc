"""What `guardrail measure` says, for a terminal and for machines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from truegreen.evaluation.agreement import Agreement
from truegreen.evaluation.guardrails.detect import Excess
from truegreen.evaluation.guardrails.model import Measured, Share, Side
from truegreen.evaluation.plain import plain

OVER: Final = "guardrail_over"
UNDER: Final = "guardrail_under"
_UNKNOWN: Final = (
    "how many blocks and passes there were is unknown, so that rates over all inputs are: name the share that is reviewed in each review "
    "(`rate`), ask a Prometheus (--prometheus-url), or write --blocks and --passes"
)


def figures(
    found: Measured, agree: Agreement | None, excess: Mapping[str, Excess], promised: Mapping[str, float]
) -> dict[str, Any]:
    """One guardrail as an object."""
    return {
        "guardrail": found.guardrail,
        "blocks": _side(found.blocks),
        "passes": _side(found.passes),
        "over_triggering": _share(found.over),
        "under_triggering": _share(found.under),
        "wrong_decisions": _share(found.decisions),
        "agreement": None
        if agree is None
        else {
            "pairs": agree.pairs,
            "observed": agree.observed,
            "kappa": agree.kappa,
            "kappa_low": agree.low,
            "kappa_high": agree.high,
        },
        "objectives": {
            name: {"objective": one, "verdict": verdict(_side_of(found, name), one)} for name, one in promised.items()
        },
        "risen": {
            name: {"at": one.at, "healthy": one.healthy, "highest": one.highest, "bound": one.bound}
            for name, one in excess.items()
        },
    }


def lines(found: Measured, agree: Agreement | None, excess: Mapping[str, Excess], promised: Mapping[str, float]) -> list[str]:
    """One guardrail for a person."""
    said = [
        f"guardrail {plain(found.guardrail)}",
        f"blocks    {_of(found.blocks)}: {_text(found.blocks.share)} of the blocks are wrong",
        f"passes    {_of(found.passes)}: {_text(found.passes.share)} of the passes are wrong",
    ]
    if found.over is None or found.under is None or found.decisions is None:
        said.append(f"note      {_UNKNOWN}")
    else:
        said += [
            f"over      {_text(found.over)} of the harmless inputs are blocked",
            f"under     {_text(found.under)} of the harmful inputs pass",
            f"all       {_text(found.decisions)} of all decisions are wrong",
        ]
    if agree is None:
        said.append("note      no decision was reviewed twice, so that the reviewers' own errors are in no interval")
    else:
        kappa = (
            "unknown, one word was all that was said"
            if agree.kappa is None
            else f"{agree.kappa:.2f} [{agree.low:.2f}, {agree.high:.2f}]"
        )
        said.append(f"reviewers {agree.pairs} decisions reviewed twice, {agree.observed:.0%} alike, kappa {kappa}")
    for name, objective in promised.items():
        said.append(f"slo       {name} {objective:.1%}: {verdict(_side_of(found, name), objective)}")
    for name, one in excess.items():
        at = "not above it" if one.at is None else f"above it, seen at review {one.at} of these"
        said.append(f"risen     {name}: the baseline's rate is at most {one.healthy:.3f}; {at}")
    return said


def verdict(side: Side, objective: float) -> str:
    """Whether so many decisions of a side are right: `held` or `missed` where the whole interval says so, else `not known from so few`."""
    budget = 1 - objective
    return "held" if side.share.high <= budget else "missed" if side.share.low > budget else "not known from so few"


def _side_of(found: Measured, slo: str) -> Side:
    return found.blocks if slo == OVER else found.passes


def _of(side: Side) -> str:
    disputed = f", {side.disputed:.0f} disputed" if side.disputed else ""
    total = "" if side.total is None else f" of {side.total:.0f}"
    return f"{side.reviewed:.0f} reviewed{total}, {side.wrong:.0f} wrong{disputed}"


def _text(share: Share) -> str:
    value = "an unknown share" if share.value is None else f"{share.value:.3f}"
    return f"{value} [{share.low:.3f}, {share.high:.3f}]"


def _side(side: Side) -> dict[str, Any]:
    return {
        "reviewed": side.reviewed,
        "wrong": side.wrong,
        "disputed": side.disputed,
        "total": side.total,
        "wrong_share": _share(side.share),
    }


def _share(share: Share | None) -> dict[str, float | None] | None:
    return None if share is None else {"value": share.value, "low": share.low, "high": share.high}
