"""A small app that can be contained: each switch of an incident has one line here. `python app.py SESSION "How many days may I work from home?"`."""

import sys

from anthropic import Anthropic
from openai import OpenAI

from truegreen import containment
from truegreen.containment import sdks
from truegreen.instrumentation import guardrail, retrieval

HANDBOOK = {
    "handbook": [
        "Employees may work from home up to three days a week.",
        "The team agrees on one day in the office.",
        "Ask your lead.",
    ],
    "handbook-2026-10": ["Employees may work from home up to two days a week."],
}
MODEL, SPARE = "openai:support-large", "anthropic:support-spare"

vectors = containment.breaker("handbook", "retrieval")
ask = containment.route(
    {"openai": sdks.openai_call(OpenAI(timeout=20, max_retries=0)), "anthropic": sdks.anthropic_call(Anthropic(timeout=20))},
    default=MODEL,
    fallback=SPARE,
    breakers={"openai": containment.breaker("openai"), "anthropic": containment.breaker("anthropic")},
)


@vectors
def search(index: str) -> list[str]:
    """The passages of an index, best first."""
    return HANDBOOK[index]


@containment.contained("handbook", off="The handbook's assistant is switched off at the moment.")
def answer(session: str, question: str) -> str:
    """Answer a question from the handbook."""
    passages = containment.context(search(containment.index("handbook")))
    retrieval(documents=passages, data_source="handbook")
    messages = [{"role": "system", "content": "Passages:\n" + "\n".join(passages)}, {"role": "user", "content": question}]
    choice = containment.rollout("model", MODEL, session)
    if choice.shadow:
        containment.shadow(ask, messages, model=choice.candidate)
    text = containment.cached(question, lambda: ask(messages, model=choice.version), otherwise="degraded")
    return text if fits(text) else "Please ask your lead."


@guardrail("length")
def fits(text: str) -> bool:
    """Whether an answer may pass."""
    return len(text) <= (40 if containment.guardrail() == "strict" else 4_000)


if __name__ == "__main__":
    print(answer(sys.argv[1], " ".join(sys.argv[2:])))
