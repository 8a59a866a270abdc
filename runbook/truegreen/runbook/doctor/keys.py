"""Whether Langfuse lets us in."""

from __future__ import annotations

from dataclasses import replace

from truegreen.core.clients import langfuse as client
from truegreen.core.errors import BadInput, Failed
from truegreen.runbook.doctor.model import OK, SECONDS, WRONG, Env, Finding

_FIX = "export LANGFUSE_PUBLIC_KEY=… LANGFUSE_SECRET_KEY_FILE=… LANGFUSE_BASE_URL=https://your.langfuse   # keys of the same project and region"


def langfuse(env: Env) -> Finding:
    """Whether keys and address are right, where a prompt in Langfuse is configured or any of its variables is set."""
    prompt, url = env.config.incidents.langfuse
    if not prompt and not any(k.startswith("LANGFUSE_") for k in env.environ):
        return Finding("langfuse", OK, "not used")
    try:
        server = client.connect(url or None, environ=env.environ)
        found = client.list_prompts(replace(server, timeout=SECONDS, tries=1), prompt or None)
    except (BadInput, Failed) as error:
        return Finding("langfuse", WRONG, str(error), _FIX)
    if prompt and not found:
        return Finding("langfuse", WRONG, f"it has no prompt {prompt!r}", "incidents: {prompt: NAME}   # as Langfuse has it")
    return Finding("langfuse", OK, "the keys are right" + (f", and it has {prompt}" if prompt else ""))
