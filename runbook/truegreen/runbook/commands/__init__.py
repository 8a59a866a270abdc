"""The commands of the runbook, one file each."""

from __future__ import annotations

import truegreen.runbook.commands.actions
import truegreen.runbook.commands.archive
import truegreen.runbook.commands.channels
import truegreen.runbook.commands.lift
import truegreen.runbook.commands.people
import truegreen.runbook.commands.serve  # noqa: F401 - they add to `contain` and `incident`
from truegreen.runbook.commands.contain import contain
from truegreen.runbook.commands.doctor import doctor
from truegreen.runbook.commands.drill import drill
from truegreen.runbook.commands.incident import incident
from truegreen.runbook.commands.index import index
from truegreen.runbook.commands.law import law
from truegreen.runbook.commands.postmortem import postmortem
from truegreen.runbook.commands.rollback import rollback
from truegreen.runbook.commands.rollout import rollout
from truegreen.runbook.commands.triage import triage
from truegreen.runbook.commands.validate import validate

__all__ = ["contain", "doctor", "drill", "incident", "index", "law", "postmortem", "rollback", "rollout", "triage", "validate"]
