"""How Prometheus scrapes the collectors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from truegreen.core.words.catalogue_own import Catalogue

SCRAPE: Final = """# Load with `scrape_config_files: [scrape.yml]` (from Prometheus 2.43 on), or copy the job below your own scrape_configs.
# honor_labels keeps the labels service and environment as the applications said them: without it every rule would match nothing.
# OpenMetrics says of each counter and histogram when it began (_created). Prometheus would keep that as one more series of each; no rule and no board
# reads it, so it is dropped.
scrape_configs:
  - job_name: truegreen
    honor_labels: true
    scrape_interval: {interval}
    static_configs:
      - targets: [{endpoints}]
    metric_relabel_configs:
      - {{source_labels: [__name__], regex: '{created}', action: drop}}
"""
OTHER: Final = """  - job_name: {job}
    honor_labels: true
    scrape_interval: {interval}
    static_configs:
      - targets: ["{target}"]
"""
"""A job of its own: TruegreenCollectorGone is about the job `truegreen`."""
CANARY: Final = "truegreen-canary"
INCIDENTS: Final = "truegreen-incidents"
SECRET: Final = """    # Prometheus takes the whole file for the token: where it has several, name a file with one of them.
    authorization: {{credentials_file: {file}}}
"""


def text(
    targets: Sequence[str],
    interval: str,
    derived: Catalogue,
    others: Mapping[str, str] = MappingProxyType({}),
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The text of `scrape.yml`.

    Args:
        targets: HOST:PORT of each collector's pages.
        interval: as Prometheus writes it.
        derived: the metrics that there are.
        others: job to HOST:PORT of what else exposes metrics of truegreen.
        secrets: of those that want a bearer token, job to the file that holds it.
    """
    jobs = (
        OTHER.format(job=job, interval=interval, target=target)
        + (SECRET.format(file=json.dumps(secrets[job])) if job in secrets else "")
        for job, target in others.items()
    )
    own = SCRAPE.format(interval=interval, endpoints=", ".join(f'"{target}"' for target in targets), created=created(derived))
    return own + "".join(jobs)


def created(derived: Catalogue) -> str:
    """What the names match that say when a series began: ours, and a user's own."""
    own = [re.escape(one.prometheus.removesuffix("_total")) for one in derived.own if one.kind != "gauge"]
    return f"({'|'.join(['truegreen_.+', *own])})_created"
