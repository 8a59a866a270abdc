"""Takes a verdict to Langfuse as a score and to LangSmith as feedback, through the application's own clients. Numbers and labels, no text."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.trace import format_span_id, format_trace_id

from truegreen.core.words.shapes import Result
from truegreen.instrumentation import failures, notices

RUN_ID = "langsmith.metadata.truegreen_run_id"
"""The span attribute that holds LangSmith's id of the run: metadata `truegreen_run_id`, for LangSmith puts the id nowhere itself."""
PROJECT = "langsmith.trace.session_name"
"""The one that holds the name of its project, which LangSmith calls a session too."""
PROJECTS = 100


@dataclass(frozen=True, slots=True)
class Verdict:
    """A result with where it belongs; `run` is what `run_id` gives."""

    result: Result
    sampled: str
    trace: int
    span: int
    run: str = ""

    @property
    def value(self) -> float | None:
        """The calibrated score, else the evaluator's own number."""
        return self.result.raw if self.result.score is None else self.result.score

    @property
    def about(self) -> Mapping[str, str]:
        """What goes along with the number."""
        result = self.result
        told = {
            "label": result.label, "evaluator": result.evaluator, "scale": result.scale or "raw", "calibration": result.calibration,
            "sampled": self.sampled,
        }  # fmt: skip
        return {name: value for name, value in told.items() if value}


def run_id(attributes: Mapping[str, Any]) -> str:
    """LangSmith's id of the run that a span belongs to, and after a space its project's name where that is known.

    From the span's metadata, else from the run around this call; empty when there is none.
    """
    told = attributes.get(RUN_ID)
    if told:
        return f"{told} {attributes.get(PROJECT) or ''}".strip()
    helpers = sys.modules.get("langsmith.run_helpers")  # who uses it has imported it
    tree = helpers.get_current_run_tree() if helpers is not None else None
    return f"{tree.id} {getattr(tree, 'session_name', '') or ''}".strip() if tree is not None else ""


def send(verdict: Verdict, targets: tuple[str, ...]) -> None:
    """Send one verdict; called in the background thread. What fails is counted; a skipped evaluation has nothing to send."""
    if verdict.value is None:
        return
    for target in targets:
        try:
            _SEND[target](verdict)
        except Exception as error:
            failures.count(f"forward {target}", error)


def _langfuse(verdict: Verdict) -> None:
    from langfuse import get_client
    from langfuse._client.resource_manager import LangfuseResourceManager

    made = tuple(LangfuseResourceManager._instances)
    key = made[0] if len(made) == 1 else os.environ.get("LANGFUSE_PUBLIC_KEY")
    if key not in made:  # get_client would make one, which exports the application's spans, or give one that sends nothing
        notices.once(
            "forward langfuse",
            "forward: [langfuse]: the application has several Langfuse clients; name one of them by LANGFUSE_PUBLIC_KEY"
            if made
            else "forward: [langfuse]: the application has made no Langfuse client; call langfuse.get_client() when it starts",
        )
        failures.count("forward langfuse", LookupError())
        return
    get_client(public_key=key).create_score(
        name=verdict.result.evaluation, value=float(verdict.value or 0.0), data_type="NUMERIC", trace_id=format_trace_id(verdict.trace),
        observation_id=format_span_id(verdict.span), metadata=dict(verdict.about),
    )  # fmt: skip


def _langsmith(verdict: Verdict) -> None:
    if not verdict.run:
        notices.once(
            "forward langsmith",
            "forward: [langsmith]: the run of an answer is not known: call the model inside a @traceable function, or put "
            "get_current_run_tree().id into the run's metadata as truegreen_run_id",
        )
        failures.count("forward langsmith", LookupError())
        return
    from langsmith.run_trees import get_cached_client

    client = get_cached_client()
    run, _, project = verdict.run.partition(" ")
    client.create_feedback(
        run,
        key=verdict.result.evaluation,
        score=verdict.value,
        value=verdict.result.label or None,
        source_info=dict(verdict.about),
        **_project(client, project),
    )


def _project(client: Any, name: str) -> dict[str, Any]:
    """The id of a project by its name, asked for once; nothing where LangSmith does not know it yet: it is made by its first run."""
    if name and name not in _projects:
        from langsmith.utils import LangSmithNotFoundError

        try:
            found = client.read_project(project_name=name).id
        except LangSmithNotFoundError:
            return {}
        except Exception as error:  # the verdict is worth sending without
            failures.count("langsmith project", error)
            return {}
        if len(_projects) >= PROJECTS:
            _projects.clear()
        _projects[name] = found
    return {"session_id": _projects[name]} if name else {}


_projects: dict[str, Any] = {}
_SEND: Mapping[str, Callable[[Verdict], None]] = {"langfuse": _langfuse, "langsmith": _langsmith}
