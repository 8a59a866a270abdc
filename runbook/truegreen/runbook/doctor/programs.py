"""Whether the programs are there that commands start."""

from __future__ import annotations

from typing import Final

from truegreen.core.clients import engines
from truegreen.runbook.doctor.model import OK, WRONG, Env, Finding

_FOR: Final = {
    "promtool": "generate rules --test, backtest, drill",
    "prometheus": "backtest, demo, drill",
    "amtool": "generate rules --test",
    "alertmanager": "demo",
}


def missing(env: Env) -> Finding:
    """Each program, and which commands want it."""
    gone = [name for name in _FOR if engines.find(name, env.environ) is None]
    if gone:
        said = "; ".join(f"{name} is missing (for {_FOR[name]})" for name in gone)
        return Finding("programs", WRONG, said, engines.missing_help(gone[0]))
    return Finding("programs", OK, f"found: {', '.join(_FOR)}")
