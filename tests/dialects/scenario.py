"""One conversation, played to every library: what is asked, what the server answers, what it counts.

The servers of this folder answer with these values in the words of their own API, so that every dialect's record can be compared field by field.
"""

from __future__ import annotations

MODEL_ASKED = "support-large"
MODEL_SERVED = "support-large-2026-01-01"
EMBEDDING_MODEL = "embed-small"
"""Asked and served."""

CUT_AT = 9
"""The limit of output tokens at which an answer is cut off."""

SYSTEM = "Answer from the documents."
QUESTION = "Where is order 42?"
ANSWER = "Order 42 left the warehouse on Monday."
RESPONSE_ID = "resp-1"
FINGERPRINT = "fp_1"
"""OpenAI only."""

TOOL = "lookup_order"
TOOL_ARGUMENTS = {"order_id": "42"}
TOOL_CALL_ID = "call-1"
TOOL_RESULT = "shipped"

INPUT_TOKENS = 16
"""All of them, cache included, as the GenAI conventions count. Anthropic's own `input_tokens` is 11."""
CACHE_READ_TOKENS = 3
CACHE_WRITE_TOKENS = 2
"""Anthropic only."""
OUTPUT_TOKENS = 9
"""All of them, reasoning included. Gemini's own `candidatesTokenCount` is 7."""
REASONING_TOKENS = 2
"""OpenAI and Gemini only."""
EMBEDDING_INPUT_TOKENS = 5

DOCUMENTS = (
    {"id": "doc-1", "text": "Order 42: packed on Sunday, shipped on Monday.", "score": 0.91},
    {"id": "doc-2", "text": "Orders are shipped within three days.", "score": 0.55},
)
DATA_SOURCE = "orders"

PROMPT_NAME, PROMPT_VERSION = "support-answer", 3
SESSION, USER = "session-1", "user-1"


def response_id(said: str, *, asks_for_tool: bool) -> str:
    """The id of an answer; those of two calls in one case differ, as a real server's do.

    Args:
        said: The conversation so far, as JSON.
        asks_for_tool: The model asks for the tool rather than answering.
    """
    if asks_for_tool:
        return "resp-tool"
    if TOOL_RESULT in said:
        return "resp-2"
    return RESPONSE_ID if QUESTION in said else "resp-3"
