"""The metrics that the runbook asks for, by their catalogue entries: a renamed metric breaks here at import, not at 3 AM."""

from __future__ import annotations

from typing import Final

from truegreen.core.words import catalogue

SERVED: Final = catalogue.MODEL_SERVED.prometheus
CONTAINED: Final = catalogue.CONTAINED_REQUESTS.prometheus
ANSWERS: Final = catalogue.ANSWERS.prometheus
EVALUATED: Final = catalogue.EVALUATED_ANSWERS.prometheus
SCORES: Final = catalogue.EVALUATION_SCORE.bucket
SNAPSHOT: Final = catalogue.SNAPSHOT_INFO.prometheus
SNAPSHOT_SINCE: Final = catalogue.SNAPSHOT_SINCE_TIMESTAMP.prometheus
CALIBRATION: Final = catalogue.CALIBRATION_INFO.prometheus
FAILING: Final = catalogue.FAILING_TRACE_INFO.prometheus
USERS: Final = catalogue.AFFECTED_USERS.prometheus
SESSIONS: Final = catalogue.AFFECTED_SESSIONS.prometheus
RELEVANCE_SUM: Final = catalogue.RETRIEVAL_RELEVANCE.sum
RELEVANCE_COUNT: Final = catalogue.RETRIEVAL_RELEVANCE.count
DURATION_BUCKET: Final = catalogue.LLM_DURATION.bucket
REQUESTS: Final = catalogue.LLM_REQUESTS.prometheus
RETRIEVALS: Final = catalogue.RETRIEVALS.prometheus
DECISIONS: Final = catalogue.GUARDRAIL_DECISIONS.prometheus
REVIEWS: Final = catalogue.GUARDRAIL_REVIEWS.prometheus
REBUILT: Final = catalogue.RETRIEVAL_INDEX_REBUILT_TIMESTAMP.prometheus
