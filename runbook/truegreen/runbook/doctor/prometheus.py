"""Whether Prometheus sees what the rules need: clock, scrape, labels, and how long it keeps samples."""

from __future__ import annotations

from typing import Final

from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import bare
from truegreen.core.errors import Failed
from truegreen.core.words import catalogue
from truegreen.runbook.doctor.model import OK, UNKNOWN, WRONG, Env, Finding

SKEW: Final = 5.0
"""Seconds between two clocks that a span's time and a rule's window do not notice."""
DAY: Final = 86_400
_JOB: Final = "truegreen"
_REQUESTS: Final = catalogue.LLM_REQUESTS.prometheus
_EVALUATED: Final = catalogue.EVALUATED_ANSWERS.prometheus


def there(env: Env) -> Finding:
    """Whether a Prometheus answers at all."""
    try:
        version = prom.buildinfo(env.soon()).get("version", "")
    except Failed as error:
        return Finding(
            "prometheus", WRONG, str(error), "export TRUEGREEN_PROMETHEUS_URL=http://HOST:9090   # or incidents.prometheus_url"
        )
    return Finding("prometheus", OK, f"Prometheus {version} answers at {bare(env.prometheus.url)}")


def clock(env: Env) -> Finding:
    """Whether Prometheus has the time that we have."""
    before = env.clock()
    found = prom.query(env.soon(), "time()")
    after = env.clock()
    # Asked without a moment, time() is the server's own clock. What it read while it was asked agrees with ours.
    off = found[0].value - min(max(found[0].value, before), after) if found else 0.0
    if abs(off) > SKEW:
        return Finding("clock", WRONG, f"Prometheus is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} this machine", "timedatectl set-ntp true   # on both machines")  # fmt: skip
    return Finding("clock", OK, f"Prometheus and this machine agree to {SKEW:g} s")


def scrape(env: Env) -> Finding:
    """Whether Prometheus scrapes the collector, as often as the configuration says."""
    name, fix = (
        "scrape",
        "truegreen generate collector --out DIR; then scrape_config_files: [DIR/scrape.yml] in prometheus.yml (before Prometheus 2.43: copy its jobs), and reload",
    )
    mine = [target for target in prom.targets(env.soon()) if target.job == _JOB]
    if not mine:
        return Finding(name, WRONG, f"no job named {_JOB!r} is scraped: the rules look for it", fix)
    down = [f"{target.address} ({target.error or target.health})" for target in mine if target.health != "up"]
    if down:
        return Finding(name, WRONG, f"cannot be scraped: {', '.join(down)}", f"curl http://{mine[0].address}/metrics")
    wanted = env.config.scrape_interval_seconds / env.time_scale
    slow = [target for target in mine if target.interval > wanted * 1.01]
    if slow:
        return Finding(name, WRONG, f"{slow[0].address} is scraped every {slow[0].interval:g} s, the configuration says {wanted:g} s",
                       f"scrape_interval: {wanted:g}s   # or scrape_interval in truegreen.yaml, and generate again")  # fmt: skip
    return Finding(name, OK, f"{len(mine)} collector{'s' if len(mine) > 1 else ''} scraped every {mine[0].interval:g} s")


def labels(env: Env) -> Finding:
    """Whether the labels service and environment are those of the applications."""
    renamed = f'count({{__name__=~"{_REQUESTS}|{_EVALUATED}",exported_service!=""}} or {{__name__=~"{_REQUESTS}|{_EVALUATED}",exported_environment!=""}})'
    if prom.query(env.soon(), renamed):
        return Finding("labels", WRONG, "Prometheus overwrites the labels service or environment: the rules match nothing", "honor_labels: true   # in the job truegreen")  # fmt: skip
    seen = prom.query(env.soon(), f"count({_REQUESTS})")
    return Finding(
        "labels", OK if seen else UNKNOWN, "the labels are the applications'" if seen else "no LLM call was counted yet"
    )


def retention(env: Env) -> Finding:
    """Whether Prometheus keeps samples for as long as the rules look back."""
    from truegreen.alert_rules.generate import files

    needed = int(files(env.config, env.time_scale).figures["retention_days"])
    kept = prom.retention(env.soon())
    if kept is None:
        return Finding("retention", UNKNOWN, f"it does not say how long it keeps samples; the rules need {needed} days")
    if kept < needed * DAY / env.time_scale:
        return Finding("retention", WRONG, f"samples are kept for {kept / DAY:g} days, the rules need {needed}", f"--storage.tsdb.retention.time={needed}d")  # fmt: skip
    return Finding("retention", OK, f"samples are kept for {kept / DAY:g} days, the rules need {needed}")
