"""`guardrail`: a decision, as a call, a block or a decorator; `guardrail_review`: a later word on whether it was right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from truegreen.core.words import attributes as names
from truegreen.instrumentation import notices
from truegreen.instrumentation.spans import Block, Of, facts, point, word

ACTIONS = ("allow", "block", "redact", "flag")
VERDICTS = ("true_positive", "false_positive", "true_negative", "false_negative")


class guardrail(Block):  # noqa: N801
    """One decision of a guardrail as a span `guardrail <name>`.

    Where it is made elsewhere, a call records it: `guardrail("pii", action="block")`. As a block, `with guardrail("pii") as g: g.action("redact")`, the
    decision is `allow` unless the block says otherwise. As a decorator, `@guardrail("pii")`, what the function returns decides: one of the
    actions, or `False` for `block`. An exception is a `block`: the request does not pass.

    Args:
        name: the guardrail.
        stage: where it looks: `input`, `output`, `retrieval` or `tool`.
        action: `allow`, `block`, `redact` or `flag`; with it, the decision is recorded at once.
        decide: what a decorated function returned, to an action or to whether it passes; for results of any other form.
    """

    place = "guardrail"

    def __init__(
        self, name: str, stage: str = "output", action: str | None = None, *, decide: Callable[[Any], str | bool] | None = None
    ) -> None:
        known = facts("guardrail", {names.GUARDRAIL_NAME: name, names.GUARDRAIL_STAGE: stage})
        self._guard = known.get(names.GUARDRAIL_NAME, "unnamed")
        super().__init__(f"guardrail {self._guard}", known)
        self._decide = decide
        self._decision = "allow"
        if action is not None:
            self.action(action)
            self._begin()
            self._end(None)

    def action(self, action: str) -> None:
        """Say what was decided: `allow`, `block`, `redact` or `flag`."""
        action = word(action)
        if action not in ACTIONS:
            listed = ", ".join(ACTIONS)
            notices.once(
                f"action:{action!r:.40}",
                f"guardrail {self._guard}: action {action!r:.40} is not one of {listed} and is counted as `other`",
            )
        self._decision = action

    def _returned(self, result: Any) -> None:
        decided = self._decide(result) if self._decide is not None else result
        if decided is False:
            self._decision = "block"
        elif isinstance(decided, str) and (decided in ACTIONS or self._decide is not None):
            self.action(decided)

    def _closing(self, error: BaseException | None) -> Mapping[str, Any]:
        return {names.GUARDRAIL_ACTION: "block" if isinstance(error, Exception) else self._decision}


def guardrail_review(name: str, verdict: str, *, of: Of = None) -> None:
    """Record a review's word on an earlier decision as a span `guardrail review <name>`, linked to it.

    Args:
        name: the guardrail.
        verdict: `true_positive` (blocked, rightly), `false_positive` (blocked, wrongly), `true_negative` (passed, rightly) or
            `false_negative` (passed, wrongly).
        of: the decision's or the answer's span: a traceparent, a span, or (trace id, span id).
    """
    verdict = word(verdict)
    if verdict not in VERDICTS:
        notices.once(
            f"verdict:{verdict!r:.40}",
            f"guardrail_review: verdict {verdict!r:.40} is not one of {', '.join(VERDICTS)} and is counted as `other`",
        )
    known = facts("guardrail_review", {names.GUARDRAIL_NAME: name, names.GUARDRAIL_VERDICT: verdict})
    point(f"guardrail review {known.get(names.GUARDRAIL_NAME, 'unnamed')}", known, of)
