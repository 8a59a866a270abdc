"""What a good shop alerts on today: latency, errors, CPU, and the textbook burn-rate pairs over the same SLO."""

from __future__ import annotations

from typing import Any, Final

GROUP: Final = "contrast"
_JOB: Final = 'job="support-agent"'
_EVENTS: Final = 'truegreen_evaluated_answers_total{service="support-agent",evaluation="groundedness"'


def rules(time_scale: int, objective_budget: float = 0.05) -> dict[str, Any]:
    """The contrast rules as a Prometheus rule file.

    Args:
        time_scale: every window is divided by it.
        objective_budget: 1 - objective, for the textbook pairs (14.4x over 1h and 5m, 6x over 6h and 30m).
    """

    def window(minutes: int) -> str:
        return f"{minutes * 60 // time_scale}s"

    def burn(factor: float, long: int, short: int) -> str:
        return " and ".join(
            f'sum(increase({_EVENTS},result="fail"}}[{window(w)}])) / sum(increase({_EVENTS}}}[{window(w)}])) > {factor * objective_budget:.3g}'
            for w in (long, short)
        )

    latency = f"histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{{{_JOB}}}[{window(15)}])))"
    requests = f"http_requests_total{{{_JOB}"
    expressions = {
        "ContrastHighLatency": f"{latency} > 5",
        "ContrastHighErrorRate": (
            f'sum(rate({requests},code=~"5.."}}[{window(15)}])) / sum(rate({requests}}}[{window(15)}])) > 0.01'
        ),
        "ContrastHighCpu": f"max(rate(process_cpu_seconds_total{{{_JOB}}}[{window(15)}])) > 0.8",
        "ContrastTextbookFastBurn": burn(14.4, 60, 5),
        "ContrastTextbookSlowBurn": burn(6, 360, 30),
    }
    return {
        "groups": [
            {
                "name": GROUP,
                "interval": "1s" if time_scale > 1 else "30s",
                "rules": [{"alert": name, "expr": expr, "labels": {"contrast": "true"}} for name, expr in expressions.items()],
            }
        ]
    }


COUNT: Final = len(rules(1)["groups"][0]["rules"])
