"""What the root command says of each command before its plugin is loaded."""

from __future__ import annotations

from typing import Final

COMMANDS: Final = {
    "collect": "Receive OTLP, derive behavioural metrics, serve them to Prometheus.",
    "generate": "Write rules, routes, boards, collector and app configuration.",
    "baseline": "Freeze what healthy looks like.",
    "baseline take": "Freeze a baseline: of one signal from scores or a replay file, or a whole day's.",
    "baseline diff": "What moved between two frozen baselines, the strongest evidence first.",
    "baseline choose": "Say which frozen baseline is the one to compare with.",
    "evaluator": "How good evaluators are, and answers from systems that make no spans.",
    "evaluator measure": "Measure an evaluator on labelled answers; with labels its scores become probabilities.",
    "evaluator serve": "Take answers, feedback and the like by HTTP from systems that make no spans.",
    "replay": "Send recorded LLM calls as spans.",
    "provider": "What a model's provider says and does: its changelog, and whether it answers as it did.",
    "provider changes": "Read a provider's changelog: what changed, and which models stop when.",
    "provider probe": "Ask a provider fixed questions, and say whether it answers as it did.",
    "watch": "Compare the newest answers of each prompt template with a frozen baseline: what drifts.",
    "evalset": "Questions with checks: run them, and add what went wrong.",
    "evalset run": "Ask the questions of an evaluation set and check the answers.",
    "evalset add-case": "Add a question that went wrong in an incident.",
    "model": "The lock file of models.",
    "model pin": "Hold a model at one version.",
    "model unpin": "Let a model go, on the evidence of a passing run.",
    "canary": "Plant a right and a wrong answer, and look how they come out at the far end.",
    "backtest": "Run the alerts over the past: what would have paged, and how late.",
    "slo": "Service level objectives.",
    "slo explain": "What an SLO counts, when it tells somebody, and what it can promise at the volume there is.",
    "dashboard": "Boards for Grafana: push them, lint your own, look at them without a Grafana.",
    "dashboard push": "Write the boards to a Grafana: the difference first, all of it or nothing.",
    "dashboard lint": "Say where a board of yours cannot work, and what to write instead.",
    "dashboard preview": "Show the boards in a browser, without a Grafana.",
    "demo": "Run the whole path on this machine: incident, page, fix, postmortem.",
    "triage": "What broke, since when, who is affected, us or them, what next.",
    "contain": "Flip a switch that the application obeys; logged, with an undo.",
    "rollback": "Move back to a version that served before, and watch it serve.",
    "validate": "The six checks that must be green before an incident closes.",
    "incident": "The incident's log: open, list, note, show, log, close.",
    "postmortem": "Write the postmortem from the log and the metrics.",
}
"""Command, with its group where it has one, to one line of help. A plugin of somebody else's is listed by its distribution."""
