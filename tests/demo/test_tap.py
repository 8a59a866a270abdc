"""The tap finds text wherever it hides in a request, and nothing where there is none."""

import gzip

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from truegreen.demo.loopback import Quiet, serving
from truegreen.demo.tap import tap

SECRET = "opened items can be returned within thirty days"


class Sink(Quiet):
    """Takes everything."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def places(request, text):
    """A request with the text in one place after the other."""
    span = request.resource_spans.add().scope_spans.add().spans.add(name="chat support-large")
    span.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
    yield "span name", lambda: setattr(span, "name", text)
    yield "attribute", lambda: setattr(span.attributes.add(key="a").value, "string_value", text)
    yield "list", lambda: span.attributes.add(key="a").value.array_value.values.add(string_value=text)
    yield "map", lambda: setattr(span.attributes.add(key="a").value.kvlist_value.values.add(key="k").value, "string_value", text)
    yield "bytes", lambda: setattr(span.attributes.add(key="a").value, "bytes_value", text.encode())
    yield "key", lambda: span.attributes.add(key=text)
    yield "event", lambda: span.events.add(name=text)
    yield "link", lambda: setattr(span.links.add().attributes.add(key="a").value, "string_value", text)
    yield "status", lambda: setattr(span.status, "message", text)
    yield (
        "scope",
        lambda: setattr(request.resource_spans[0].scope_spans[0].scope.attributes.add(key="a").value, "string_value", text),
    )
    yield "resource", lambda: setattr(request.resource_spans[0].resource.attributes.add(key="a").value, "string_value", text)


NAMES = [name for name, _ in places(ExportTraceServiceRequest(), SECRET)]


@pytest.mark.parametrize("place", [*NAMES, "nowhere"])
def test_text_is_found_in_every_place_of_a_request(place):
    """Each place is planted alone; a clean request gives 0 bytes."""
    request = ExportTraceServiceRequest()
    for name, plant in places(request, SECRET):
        if name == place:
            plant()
    with serving(Sink) as sink, tap(sink) as seen:
        reply = httpx.post(
            f"{seen.url}/v1/traces",
            content=gzip.compress(request.SerializeToString()),
            headers={"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"},
            trust_env=False,
        )
        assert reply.status_code == 200
    assert (seen.spans, seen.answers) == (1, 1)
    assert (seen.leaked_bytes([f"Yes: {SECRET}, unopened or not."]) > 0) == (place != "nowhere")
