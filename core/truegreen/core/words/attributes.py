"""Attribute names on spans: our own string constants (the upstream `gen_ai.*` constants are all deprecated)."""

from __future__ import annotations

from typing import Final

# Read, never overwritten: the GenAI conventions.
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
PROMPT_NAME: Final = "gen_ai.prompt.name"
PROMPT_VERSION: Final = "gen_ai.prompt.version"
AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_VERSION: Final = "gen_ai.agent.version"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
DATA_SOURCE_ID: Final = "gen_ai.data_source.id"
RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"
RETRIEVAL_QUERY: Final = "gen_ai.retrieval.query.text"
RETRIEVAL_TOP_K: Final = "gen_ai.retrieval.top_k"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
SYSTEM_FINGERPRINT: Final = "openai.response.system_fingerprint"
SESSION_ID: Final = "session.id"
USER_ID: Final = "user.id"
ERROR_TYPE: Final = "error.type"

# Resource attributes.
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
VCS_REVISION: Final = "vcs.ref.head.revision"
ENVIRONMENT_NAME: Final = "deployment.environment.name"
ENVIRONMENT_NAME_OLD: Final = "deployment.environment"

CONTENT: Final = (INPUT_MESSAGES, OUTPUT_MESSAGES, SYSTEM_INSTRUCTIONS, RETRIEVAL_QUERY, TOOL_ARGUMENTS, TOOL_RESULT)
"""Attributes that hold text of prompts or answers: never a label, never logged."""

EVALUATION_EVENT: Final = "gen_ai.evaluation.result"
RETRIEVAL_OPERATION: Final = "retrieval"
TOOL_OPERATION: Final = "execute_tool"
AGENT_OPERATION: Final = "invoke_agent"
WORKFLOW_OPERATION: Final = "invoke_workflow"
CHAT_OPERATIONS: Final = ("chat", "generate_content", "text_completion")
LLM_OPERATIONS: Final = (*CHAT_OPERATIONS, "embeddings")

# Ours.
SNAPSHOT_ID: Final = "truegreen.snapshot.id"
SNAPSHOT_SINCE: Final = "truegreen.snapshot.since"
VERSION_PREFIX: Final = "truegreen.version."
COHORT: Final = "truegreen.cohort"
PROMPT_TEMPLATE: Final = "truegreen.prompt.template"
DIALECT: Final = "truegreen.dialect"
DUPLICATE: Final = "truegreen.duplicate"
EVALUATION_PREFIX: Final = "truegreen.evaluation."
EVALUATION_SAMPLED: Final = "truegreen.evaluation.sampled"
EVALUATION_MIRRORED: Final = "truegreen.evaluation.mirrored"
ANSWER_MARKERS: Final = "truegreen.answer.markers"
ANSWER_STYLE: Final = "truegreen.answer.style"
RETRIEVAL_COUNT: Final = "truegreen.retrieval.documents.count"
RELEVANCE_SCORES: Final = "truegreen.retrieval.relevance.scores"
RELEVANCE_MAX: Final = "truegreen.retrieval.relevance.max"
RELEVANCE_MEAN: Final = "truegreen.retrieval.relevance.mean"
RELEVANCE_BELOW_FLOOR: Final = "truegreen.retrieval.relevance.below_floor"
INDEX_NAME: Final = "truegreen.retrieval.index.name"
INDEX_ALIAS: Final = "truegreen.retrieval.index.alias"
INDEX_VERSION: Final = "truegreen.retrieval.index.version"
INDEX_REBUILT: Final = "truegreen.retrieval.index.rebuilt"
INDEX_EMBEDDING_MODEL: Final = "truegreen.retrieval.index.embedding_model"
INDEX_FINGERPRINT: Final = "truegreen.retrieval.index.fingerprint"
GUARDRAIL_NAME: Final = "truegreen.guardrail.name"
GUARDRAIL_STAGE: Final = "truegreen.guardrail.stage"
GUARDRAIL_ACTION: Final = "truegreen.guardrail.action"
GUARDRAIL_VERDICT: Final = "truegreen.guardrail.verdict"
TOOL_OUTCOME: Final = "truegreen.tool.outcome"
AGENT_OUTCOME: Final = "truegreen.agent.outcome"
AGENT_AUTHORIZATION: Final = "truegreen.agent.authorization"
AGENT_STEPS: Final = "truegreen.agent.steps"
AGENT_REPEATS: Final = "truegreen.agent.repeats"
AGENT_TOKENS: Final = "truegreen.agent.tokens"
AGENT_LOOP: Final = "truegreen.agent.loop"
AGENT_BRANCH: Final = "truegreen.agent.branch"
CONTAINMENT: Final = "truegreen.containment"
TASK_NAME: Final = "truegreen.task.name"
TASK_OUTCOME: Final = "truegreen.task.outcome"
FEEDBACK_SCORE: Final = "truegreen.feedback.score"
ESCALATION_REASON: Final = "truegreen.escalation.reason"
DOWNSTREAM_OUTCOME: Final = "truegreen.downstream.outcome"


def version_of(component: str) -> str:
    """The attribute that holds the version of one of the seven snapshot components."""
    return VERSION_PREFIX + component


def evaluation(name: str, part: str) -> str:
    """The attribute of one evaluation; `part` is `raw`, `score`, `label`, `evaluator`, `scale`, `calibration`, `skipped` or `sampled`."""
    return f"{EVALUATION_PREFIX}{name}.{part}"
