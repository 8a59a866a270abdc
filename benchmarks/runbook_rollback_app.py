"""An application with some prompts of Langfuse's, for `runbook_rollback.py`, under opentelemetry-instrument.

python benchmarks/runbook_rollback_app.py SECONDS_BETWEEN TTL|default alone|told PROMPT [PROMPT ...]
"""

from __future__ import annotations

import sys
import threading
import time

from langfuse import Langfuse
from opentelemetry import trace

from truegreen import containment
from truegreen.instrumentation import snapshot


def main(pause: str, ttl: str, told: str, *names: str) -> None:
    """Answer with each prompt in a thread of its own until it is ended: first by version 1, then by the one that has the label."""
    client, tracer = Langfuse(tracing_enabled=False), trace.get_tracer("benchmark")
    seconds = None if ttl == "default" else int(ttl)

    def work(name: str) -> None:
        answer(tracer, client.get_prompt(name, version=1))
        while True:
            if told == "told":
                containment.fresh(client)
            answer(tracer, client.get_prompt(name, cache_ttl_seconds=seconds))
            time.sleep(float(pause))

    for name in names:
        threading.Thread(target=work, args=(name,)).start()


def answer(tracer: trace.Tracer, prompt: object) -> None:
    """One call of a model as spans tell it; the model is not what is measured."""
    with snapshot.use(prompt=prompt):
        span = tracer.start_span("chat m", kind=trace.SpanKind.CLIENT)
        span.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
                             "gen_ai.request.model": "m", "gen_ai.response.model": "m-1"})  # fmt: skip
        span.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
