"""Whether this environment makes spans of LLM calls at all."""

from __future__ import annotations

from truegreen.instrumentation import environment
from truegreen.runbook.doctor.model import OK, WRONG, Env, Finding

NAME = "instrumentor"


def instrumentor(env: Env) -> Finding:
    """An instrumentor that sees calls of a model, none that is broken, and ours not switched off."""
    seen, native = environment.instrumentors(env.environ), environment.native(env.environ)
    if environment.disabled(env.environ):
        said = f"{environment.DISABLED}={env.environ[environment.DISABLED]}: truegreen is switched off"
        return Finding(NAME, WRONG, said, f"take truegreen out of {environment.DISABLED}")
    if off := environment.off(env.environ):
        return Finding(NAME, WRONG, off, f"unset {off.partition('=')[0]}")
    if broken := environment.broken():
        return Finding(
            NAME, WRONG, broken, "pip install 'opentelemetry-instrumentation-genai-openai', and uninstall the other one"
        )
    if not native and not any(map(environment.sees_calls, seen)):
        return Finding(
            NAME, WRONG, "nothing that is installed here makes a span of an LLM call (run the doctor in the application's environment)",
            "pip install 'truegreen[openai]', or [anthropic], or [langchain]",
        )  # fmt: skip
    twice = [f"{' and '.join(modules)} for {library}" for library, modules in environment.twice(seen).items()]
    if twice:
        return Finding(NAME, WRONG, f"two make spans of one call: {'; '.join(twice)}", "uninstall one of the two")
    return Finding(NAME, OK, f"spans are made by {', '.join((*seen, *native))}")
