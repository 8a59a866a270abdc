"""How the cost of a span grows with label sets and attributes: `python benchmarks/collector.py --growth`; it writes the picture of docs/collector_speed.md.

The processor alone, in this process: LLM spans with one evaluation, of 10, 30 and 100 attributes, in 10, 1,000 and 20,000 combinations of model, cohort and version, each
combination as often as any other. All nine take turns; a rate is that of the best of its rounds over all requests, after one that is not timed.
"""

from __future__ import annotations

import time
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from truegreen.collector.processor import Processor

SETS = (10, 1_000, 20_000)
ATTRIBUTES = (10, 30, 100)
SPANS = 200
PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "collector_growth.svg"
COLORS = ("#2b6cb0", "#2f855a", "#b7791f")


def requests(sets: int, attributes: int) -> list[bytes]:
    """Requests in which each of so many label sets comes once, or several times where that fills a request."""
    many = max(sets, 2_000)
    return [_request([at % sets for at in range(first, min(first + SPANS, many))], attributes) for first in range(0, many, SPANS)]


def _request(sets: list[int], attributes: int) -> bytes:
    made = ExportTraceServiceRequest()
    resource = made.resource_spans.add()
    for key, text in (("service.name", "bot"), ("deployment.environment.name", "production")):
        resource.resource.attributes.add(key=key).value.string_value = text
    scope = resource.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.genai.openai"
    for at in sets:
        span = scope.spans.add(trace_id=at.to_bytes(16), span_id=at.to_bytes(8), name="chat", start_time_unix_nano=10**18)
        span.end_time_unix_nano = 10**18 + (at * 7 % 5_000 + 1) * 10**6
        texts = {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": f"m{at % 40}",
            "truegreen.cohort": f"c{at // 40 % 10}", "truegreen.snapshot.id": f"{at // 400:012x}", "truegreen.evaluation.sampled": "base",
            "truegreen.evaluation.groundedness.label": "pass",
        }  # fmt: skip
        texts |= {f"app.attribute.{more}": f"value {more} of a span" for more in range(attributes - len(texts) - 3)}
        for key, text in texts.items():
            span.attributes.add(key=key).value.string_value = text
        span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 100 + at % 4_000
        span.attributes.add(key="gen_ai.usage.output_tokens").value.int_value = 2 + at % 800
        span.attributes.add(key="truegreen.evaluation.groundedness.score").value.double_value = at % 1_000 / 1_000
    return made.SerializeToString()


def growth(rounds: int) -> dict[str, object]:
    """Spans a CPU second by attributes and label sets; the picture is written as well."""
    played = {
        (attributes, sets): (requests(sets, attributes), Processor(time.time, 30.0)) for attributes in ATTRIBUTES for sets in SETS
    }
    rates: dict[tuple[int, int], float] = dict.fromkeys(played, 0.0)
    for turn in range(rounds + 1):
        for case, (sent, processor) in played.items():
            began = time.process_time()
            spans = sum(map(processor.traces, sent))
            if turn:
                rates[case] = max(rates[case], spans / (time.process_time() - began))
    PICTURE.write_text(picture(rates), encoding="utf-8")
    return {
        f"{attributes} attributes": {f"{sets:,} label sets": rates[attributes, sets] for sets in SETS}
        for attributes in ATTRIBUTES
    }


def picture(rates: dict[tuple[int, int], float]) -> str:
    """Spans a second over label sets, a line for each number of attributes."""
    width, height, left, top = 640, 360, 80, 40
    highest = max(rates.values()) * 1.1
    xs = {sets: left + 60 + place * 200 for place, sets in enumerate(SETS)}

    def y(rate: float) -> float:
        return top + 260 * (1 - rate / highest)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" fill="#333">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{left}" y="20">LLM spans a CPU second, processor alone, by label sets and attributes of a span</text>',
    ]
    step = 10 ** (len(str(int(highest))) - 1)
    step = step if highest / step >= 3 else step // 2
    for tick in range(0, int(highest), step):
        parts.append(f'<line x1="{left}" x2="{width - 40}" y1="{y(tick):.0f}" y2="{y(tick):.0f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y(tick) + 4:.0f}" text-anchor="end">{tick:,}</text>')
    parts += [f'<text x="{x}" y="{top + 280}" text-anchor="middle">{sets:,} label sets</text>' for sets, x in xs.items()]
    for color, attributes in zip(COLORS, ATTRIBUTES, strict=True):
        points = [(xs[sets], y(rates[attributes, sets])) for sets in SETS]
        line = " ".join(f"{x},{at:.0f}" for x, at in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{at:.0f}" r="4" fill="{color}"/>' for x, at in points]
        parts += [
            f'<text x="{x + 8}" y="{at - 8:.0f}" fill="{color}">{rates[attributes, sets] / 1_000:.0f}k</text>'
            for (x, at), sets in zip(points, SETS, strict=True)
        ]
    for place, (color, attributes) in enumerate(zip(COLORS, ATTRIBUTES, strict=True)):
        parts.append(f'<text x="{left + 60 + place * 160}" y="{height - 12}" fill="{color}">● {attributes} attributes</text>')
    return "\n".join([*parts, "</svg>", ""])
