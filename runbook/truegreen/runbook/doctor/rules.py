"""Whether the rules that Prometheus has loaded are those that the configuration gives now."""

from __future__ import annotations

import re
from typing import Any, Final

from truegreen.core.clients import prometheus as prom
from truegreen.runbook.doctor.model import OK, WRONG, Env, Finding

_FIX: Final = "truegreen generate rules --out DIR; then rule_files: [DIR/truegreen.rules.yml] in prometheus.yml, and reload"
_NAMED: Final = 3
_TEXT: Final = r'"(?:[^"\\]|\\.)*"'
_MATCHER: Final = re.compile(rf"\w+(?:=~|!~|!=|=){_TEXT}")
_SELECTOR: Final = re.compile(rf'\{{((?:[^{{}}"]|{_TEXT})*)\}}')


def stale(env: Env) -> Finding:
    """Compare names and expressions; both are parsed, so that spaces do not count."""
    import yaml

    from truegreen.alert_rules.generate import RULES, files

    written = yaml.safe_load(files(env.config, env.time_scale).files[RULES])["groups"]
    wanted = {_key(r.get("alert") or r["record"], r.get("labels", {}), r["expr"]) for group in written for r in group["rules"]}
    groups = {group["name"] for group in written}
    loaded = [rule for rule in prom.rules(env.soon()) if rule.group in groups]
    if not loaded:
        return Finding("rules", WRONG, "none of our rules is loaded: nothing would page", _FIX)
    broken = [rule for rule in loaded if rule.health == "err"]
    if broken:
        return Finding("rules", WRONG, f"{broken[0].name} fails: {broken[0].error}", _FIX)
    have = {_key(rule.name, rule.labels, rule.query) for rule in loaded}
    names = sorted({key[0] for key in wanted ^ have})
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return Finding("rules", WRONG, f"the loaded rules are not those of the configuration: {', '.join(names[:_NAMED])}{more} differ", _FIX)  # fmt: skip
    return Finding("rules", OK, f"{len(loaded)} rules are loaded, as the configuration gives them")


def _key(name: str, labels: Any, expression: str) -> tuple[str, tuple[tuple[str, str], ...], str]:
    return name, tuple(sorted((str(k), str(v)) for k, v in labels.items())), _plain(expression)


def _plain(expression: str) -> str:
    import promql_parser

    def ordered(found: re.Match[str]) -> str:
        return "{" + ",".join(sorted(_MATCHER.findall(found[1]))) + "}"

    # Prometheus prints the matchers of a selector in an order of its own.
    return _SELECTOR.sub(ordered, str(promql_parser.parse(expression)))
