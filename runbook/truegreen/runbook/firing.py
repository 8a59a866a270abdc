"""What fires: by Alertmanager, and where that does not answer by the `ALERTS` that Prometheus keeps of its own rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from truegreen.core.clients import alertmanager
from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import in_time, selectors
from truegreen.runbook.clean import clean
from truegreen.runbook.model import Evidence, Target

_OURS: Final = "Truegreen"
_NAMED: Final = ("service", "environment", "slo", "sev")
"""What an alert about a service has."""


@dataclass(frozen=True, slots=True)
class Fires:
    """One alert that fires; `since` is unix seconds, None where Prometheus alone says so, and then it has no fingerprint either."""

    labels: Mapping[str, str]
    since: float | None = None
    fingerprint: str = ""


def known(server: Server) -> tuple[Fires, ...]:
    """The active alerts of Alertmanager."""
    return tuple(Fires(a.labels, a.starts, a.fingerprint) for a in alertmanager.alerts(server))


def recorded(server: Server, now: float, target: Target | None = None) -> tuple[Fires, ...]:
    """The alerts of a target, or of all, that fire by the rules of Prometheus."""
    some = selectors.at(target, slo=target.slo, alertstate="firing") if target else '{alertstate="firing",slo!=""}'
    return tuple(Fires(s.labels) for s in prom.query(server, f"ALERTS{some}", now))


def gravest(fires: Sequence[Fires], target: Target) -> tuple[str, Mapping[str, str], float | None]:
    """The gravest sev that is active for the target, with that alert's labels and when it fired; empty when none is."""
    mine = [f for f in fires if _target(f) == target and f.labels.get("sev")]
    worst = min(mine, key=lambda f: f.labels["sev"], default=Fires({}))
    return worst.labels.get("sev", ""), worst.labels, worst.since


def target(alerts: Server, prometheus: Server, now: float, ends: float, named: str = "") -> Target | None:
    """The target of the gravest alert of ours that is active; None when none is.

    Args:
        alerts, prometheus: Alertmanager, and who is believed when it does not answer.
        now: unix seconds.
        ends: monotonic seconds, after which neither is waited for.
        named: as in `meant`.

    Raises:
        BadInput: as `meant`.
        Failed: neither answers.
    """
    found, failed = in_time.side_by_side({
        "Alertmanager": lambda: known(in_time.bounded(alerts, ends)),
        "Prometheus": lambda: recorded(in_time.bounded(prometheus, ends), now),
    }, ends)  # fmt: skip
    if not found:
        raise Failed("; ".join(in_time.said(name, error) for name, error in failed.items()))
    deaf = "" if "Alertmanager" in found else f" (by Prometheus, which knows no fingerprints: {failed['Alertmanager']})"
    return meant(found.get("Alertmanager", found.get("Prometheus", ())), named, deaf)


def meant(fires: Sequence[Fires], named: str = "", deaf: str = "") -> Target | None:
    """The target of the gravest of these alerts; None where none is about a service.

    Args:
        named: only alerts of this name, or the one of this fingerprint.
        deaf: what an error adds.

    Raises:
        BadInput: alerts of several targets are equally grave, or none is named so.
    """
    ours = [f for f in fires if all(f.labels.get(name) for name in _NAMED)]
    asked = [f for f in ours if not named or named in (f.labels.get("alertname"), f.fingerprint)]
    if named and not asked:
        firing = ", ".join(sorted({clean(f.labels.get("alertname", "?"), 80) for f in ours})) or "none"
        raise BadInput(f"ALERT: no alert {clean(named, 80)!r} of a service fires; firing: {firing}{deaf}")
    worst = min((f.labels["sev"] for f in asked), default="")
    targets = sorted({str(t): t for f in asked if f.labels["sev"] == worst and (t := _target(f))}.items())
    if len(targets) > 1:
        many = ", ".join(clean(name, 200) for name, _ in targets)
        raise BadInput(f"{len(targets)} alerts of sev {clean(worst, 20)} fire ({many}); say which: --service --environment --slo")
    return targets[0][1] if targets else None


def _target(fires: Fires) -> Target:
    return Target(*(fires.labels.get(name, "") for name in ("service", "environment", "slo")))


def contrast(prometheus: Server, found: Evidence) -> dict[str, Any]:
    """What the rest of the shop's monitoring saw: alerts that are not ours, latency and errors on both sides of the onset."""
    window = f"[{max(int(found.now - found.onset), 1)}s]"
    try:
        rules = [r for r in prom.rules(prometheus) if r.kind == "alerting" and not r.name.startswith(_OURS)]
        fired = prom.query(
            prometheus,
            f'count by (alertname) (max_over_time(ALERTS{{alertstate="firing",alertname!~"{_OURS}.*"}}{window}))', found.now,
        )  # fmt: skip
    except Failed:
        return {}
    signals = []
    for name, label, show in (("latency_p99", "p99 of calls", "{:.2f} s"), ("errors", "failing calls", "{:.1%}")):
        answer = found.answers.get(name)
        if answer and answer.before and answer.after:
            signals.append((label, show.format(max(answer.before.values())), show.format(max(answer.after.values()))))
    return {"loaded": len(rules), "fired": sorted(s.labels.get("alertname", "") for s in fired), "signals": signals}
