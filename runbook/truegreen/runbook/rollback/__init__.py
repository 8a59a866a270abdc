"""Every component goes back to a version that served before: eight ways, each with a dry run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from truegreen.core.config.model import Config
from truegreen.core.errors import BadInput, Failed
from truegreen.runbook.clean import clean
from truegreen.runbook.rollback import moving
from truegreen.runbook.rollback.model import LABELS, Finding

__all__ = ["COMPONENTS", "Finding", "dry_run"]

COMPONENTS = tuple(LABELS)


def dry_run(config: Config, component: str = "", environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Whether each configured way back would work, by its own dry run; nothing is changed.

    Args:
        component: only this one; empty: all that are configured.
        environ: for keys, addresses and the flag file.

    Returns:
        one finding for each; none where nothing is configured.
    """
    flags = Path(environ.get("TRUEGREEN_FLAGS") or config.containment.flags)
    found = []
    for name in (component,) if component else moving.configured(config):
        try:
            found.append(Finding(name, ok=True, says=clean(moving.dry_run(config, name, environ, flags), 400)))
        except (BadInput, Failed) as error:
            found.append(Finding(name, ok=False, says=clean(str(error), 400)))
    return found
