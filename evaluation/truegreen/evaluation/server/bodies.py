"""What may be posted: one envelope for each kind of item, with an example that works as it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

TEXT: Final = 1_000_000
"""Characters of one question, answer or passage."""
PASSAGES: Final = 64
BATCH: Final = 1_000
"""Items of one request."""
_SECONDS: Final = 86_400
_PRINTABLE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
"""No control character and no end of a line: names stand in logs and commands."""


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 3.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Text = Annotated[str, StringConstraints(max_length=TEXT)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_PRINTABLE)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)]
Traceparent = Annotated[str, StringConstraints(pattern="^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]
Seconds = Annotated[float, Field(ge=0, le=_SECONDS, allow_inf_nan=False)]
Tokens = Annotated[int, Field(ge=0, le=1_000_000_000), BeforeValidator(_whole)]
Number = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]


class Strict(BaseModel):
    """Nothing is coerced and nothing unknown is dropped: a key that is misspelt is said."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Versions(Strict):
    """Which versions served the answer; the model is told by `model`."""

    prompt: Name | None = Field(None, description="name@version, never the prompt's text")
    retrieval_index: Name | None = None
    tool_schema: Name | None = None
    eval_dataset: Name | None = None
    guardrail: Name | None = None
    provider_changelog: Name | None = None


class Retrieval(Strict):
    """How the passages of `context` were found; without it they are judged against and no retrieval is counted."""

    data_source: Name = Field(description="the index or knowledge base")
    latency_seconds: Seconds = Field(description="how long the retrieval took")
    scores: list[Number] | None = Field(
        None, max_length=PASSAGES, fail_fast=True, description="similarity of each passage that was found"
    )


class Sample(Strict):
    """One answer of a model with its question and passages; texts are judged here and leave neither by span nor by log."""

    id: Id | None = Field(
        None,
        description="your own name of the answer, such as a message id: feedback names it as `sample_id`, sent again it is not counted again; only a hash leaves",
    )
    query: Text = Field("", description="the user's question")
    answer: Text = Field(description="the text of the answer; may be empty")
    context: list[Text] = Field(
        default_factory=list,
        max_length=PASSAGES,
        fail_fast=True,
        description="the retrieved passages, in the order given to the model",
    )
    model: Name = Field(description="the model that was asked")
    latency_seconds: Seconds = Field(description="how long the call of the model took; it is counted as its duration")
    provider: Name | None = Field(None, description="such as openai")
    served_model: Name | None = Field(None, description="the model that the provider says answered")
    finish_reasons: list[Name] = Field(
        default_factory=lambda: ["stop"], max_length=8, fail_fast=True, description="as the provider gave them"
    )
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    session_id: Name | None = None
    user_id: Name | None = None
    cohort: Name | None = Field(None, description="one of a few, such as the plan")
    retrieval: Retrieval | None = None
    versions: Versions | None = None


class About(Strict):
    """What a later word is about."""

    sample_id: Id | None = Field(None, description="the `id` of the sample that it is about")
    traceparent: Traceparent | None = Field(None, description="the span that it is about; wins over `sample_id`")


class OfTask(About):
    """A later word on a user's task."""

    task: Name | None = Field(None, description="the user's task, one of a few")


class Feedback(OfTask):
    """A user's word: over 0 is positive, under 0 negative; thumbs are 1 and -1."""

    score: Number = Field(description="over 0 positive, under 0 negative, 0 neutral")


class Escalation(OfTask):
    """A person took over."""

    reason: Name = Field(description="why: one of a few, such as no_answer")


class Downstream(OfTask):
    """A record made of an answer was accepted or refused further on."""

    valid: bool = Field(description="whether the downstream system accepted it")


class GuardrailReview(About):
    """A reviewer's word on a guardrail's decision."""

    guardrail: Name = Field(description="which guardrail decided")
    verdict: Literal["true_positive", "false_positive", "true_negative", "false_negative"] = Field(
        description="blocked rightly, blocked wrongly, passed rightly, passed wrongly"
    )


Body = Sample | Feedback | Escalation | Downstream | GuardrailReview


class Envelope(Strict):
    """Whose items they are."""

    service: Name = Field(description="as its SLOs name it (service.name)")
    environment: Name = Field(description="as its SLOs name it (deployment.environment.name)")


def _example(name: str, *items: dict[str, Any]) -> ConfigDict:
    filled: dict[str, Any] = {"service": "support-agent", "environment": "production", name: list(items)}
    return ConfigDict(json_schema_extra={"examples": [filled]})


class Samples(Envelope):
    """Answers to be judged."""

    model_config = _example(
        "samples",
        {
            "id": "message-4711",
            "query": "May opened items go back?",
            "answer": "Yes, within 30 days of delivery.",
            "context": ["Opened items can be returned within 30 days of delivery."],
            "model": "gpt-4o-mini",
            "latency_seconds": 1.8,
            "retrieval": {"data_source": "kb", "latency_seconds": 0.12, "scores": [0.83]},
            "versions": {"prompt": "refund@7"},
        },
    )
    samples: list[Sample] = Field(min_length=1, max_length=BATCH)

    @property
    def items(self) -> Sequence[Body]:
        """What is in it."""
        return self.samples


class FeedbackBatch(Envelope):
    """What users said."""

    model_config = _example("feedback", {"score": -1, "task": "refund", "sample_id": "message-4711"})
    feedback: list[Feedback] = Field(min_length=1, max_length=BATCH)

    @property
    def items(self) -> Sequence[Body]:
        """What is in it."""
        return self.feedback


class Escalations(Envelope):
    """Where a person took over."""

    model_config = _example("escalations", {"reason": "no_answer", "task": "refund", "sample_id": "message-4711"})
    escalations: list[Escalation] = Field(min_length=1, max_length=BATCH)

    @property
    def items(self) -> Sequence[Body]:
        """What is in it."""
        return self.escalations


class DownstreamBatch(Envelope):
    """What became of records made of answers."""

    model_config = _example("records", {"valid": False, "task": "refund", "sample_id": "message-4711"})
    records: list[Downstream] = Field(min_length=1, max_length=BATCH)

    @property
    def items(self) -> Sequence[Body]:
        """What is in it."""
        return self.records


class Reviews(Envelope):
    """What reviewers said of guardrails."""

    model_config = _example("reviews", {"guardrail": "pii", "verdict": "false_positive", "sample_id": "message-4711"})
    reviews: list[GuardrailReview] = Field(min_length=1, max_length=BATCH)

    @property
    def items(self) -> Sequence[Body]:
        """What is in it."""
        return self.reviews


Batch = Samples | FeedbackBatch | Escalations | DownstreamBatch | Reviews


class Accepted(BaseModel):
    """The items wait in memory to be judged and sent."""

    accepted: int = Field(description="how many")
    repeated: int = Field(description="samples whose `id` was taken before: they are not counted again")
    traceparents: list[str] = Field(description="of samples: the span of each, in their order, which feedback can name")


class Problem(BaseModel):
    """Why a request was not taken; none of its items was."""

    error: str = Field(description="what is wrong, and what to do instead")
    problems: list[str] = Field(default_factory=list, description="where in the body, key by key; never a value of it")
