"""Cuts what is not allowed out of an OTLP request: attributes that no list names, log bodies, status messages, fields that are not known here.

The shadow messages declare every field that is kept, by its wire type only; what is not declared is discarded, so a field that OTLP adds
later is cut until it is listed here. Field numbers are those of opentelemetry-proto 1.x.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

DEFAULTS: Final = (
    # who and where
    "service.*", "deployment.*", "telemetry.*", "cloud.*", "host.name", "host.id", "host.type", "host.arch", "os.type", "container.id",
    "container.name", "container.image.name", "k8s.cluster.name", "k8s.namespace.name", "k8s.node.name", "k8s.pod.name", "k8s.pod.uid",
    "k8s.deployment.name", "k8s.container.name", "process.pid", "process.runtime.*", "faas.name", "faas.version",
    # any call
    "error.type", "exception.type", "exception.escaped", "http.request.method", "http.response.status_code", "http.route", "server.address",
    "server.port", "network.protocol.*", "rpc.system", "rpc.service", "rpc.method", "db.system", "db.system.name", "db.operation.name",
    "db.collection.name", "db.namespace",
    # a call to a model, an agent, a tool
    "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system", "gen_ai.output.type", "gen_ai.request.model", "gen_ai.request.max_tokens",
    "gen_ai.request.temperature", "gen_ai.request.top_p", "gen_ai.request.top_k", "gen_ai.request.seed", "gen_ai.request.choice.count",
    "gen_ai.request.frequency_penalty", "gen_ai.request.presence_penalty", "gen_ai.request.stream", "gen_ai.response.id",
    "gen_ai.response.model", "gen_ai.response.finish_reasons", "gen_ai.response.time_to_first_chunk", "gen_ai.usage.*", "gen_ai.token.type",
    "gen_ai.agent.id", "gen_ai.agent.name", "gen_ai.agent.version", "gen_ai.workflow.name", "gen_ai.tool.name", "gen_ai.tool.type",
    "gen_ai.tool.call.id", "gen_ai.data_source.id", "gen_ai.evaluation.name", "gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label",
    "openai.response.system_fingerprint", "openai.response.service_tier",
    # the same in other vocabularies
    "llm.model_name", "llm.provider", "llm.system", "llm.token_count.*", "llm.usage.*", "openinference.span.kind", "traceloop.span.kind",
    "langfuse.observation.type", "langfuse.observation.level", "langfuse.observation.model.name", "langfuse.environment", "langfuse.release",
    "langfuse.version", "langsmith.span.kind",
    # ours: words, numbers and hashes, never text
    "truegreen.*",
)  # fmt: skip
"""Attributes that are forwarded by default: names, numbers, models, outcomes; no text of prompts, answers, passages or tools, no ids of users, sessions or conversations."""

_OPTIONAL: Final[Any] = 1
_REPEATED: Final[Any] = 3
_TYPES: Final[dict[str, Any]] = {"varint": 4, "fixed64": 6, "fixed32": 7, "message": 11, "bytes": 12}
# message -> "field number type", `*` before the type for a repeated one.
_SHADOW: Final = {
    "Pair": ("key 1 bytes", "value 2 bytes"),
    "Resource": ("attributes 1 *bytes", "dropped 2 varint", "entity_refs 3 *bytes"),
    "Scope": ("name 1 bytes", "version 2 bytes", "attributes 3 *bytes", "dropped 4 varint"),
    "Event": ("time 1 fixed64", "name 2 bytes", "attributes 3 *bytes", "dropped 4 varint"),
    "Link": ("trace_id 1 bytes", "span_id 2 bytes", "trace_state 3 bytes", "attributes 4 *bytes", "dropped 5 varint", "flags 6 fixed32"),
    "Status": ("code 3 varint",),
    "Span": (
        "trace_id 1 bytes", "span_id 2 bytes", "trace_state 3 bytes", "parent_span_id 4 bytes", "name 5 bytes", "kind 6 varint",
        "start 7 fixed64", "end 8 fixed64", "attributes 9 *bytes", "dropped 10 varint", "events 11 *Event", "dropped_events 12 varint",
        "links 13 *Link", "dropped_links 14 varint", "status 15 Status", "flags 16 fixed32",
    ),
    "ScopeSpans": ("scope 1 Scope", "records 2 *Span", "schema_url 3 bytes"),
    "ResourceSpans": ("resource 1 Resource", "scopes 2 *ScopeSpans", "schema_url 3 bytes"),
    "Traces": ("resources 1 *ResourceSpans",),
    "LogRecord": (
        "time 1 fixed64", "severity 2 varint", "severity_text 3 bytes", "attributes 6 *bytes", "dropped 7 varint", "flags 8 fixed32",
        "trace_id 9 bytes", "span_id 10 bytes", "observed 11 fixed64", "event_name 12 bytes",
    ),
    "ScopeLogs": ("scope 1 Scope", "records 2 *LogRecord", "schema_url 3 bytes"),
    "ResourceLogs": ("resource 1 Resource", "scopes 2 *ScopeLogs", "schema_url 3 bytes"),
    "Logs": ("resources 1 *ResourceLogs",),
}  # fmt: skip
KNOWN_KEYS: Final = 4096
KEY: Final = 0x0A
VALUE: Final = 0x12


class Allowed(dict[bytes, bool]):
    """The beginning of a KeyValue (tag, length, key) to whether it is forwarded; answers are remembered, up to a bound.

    Args:
        keys: attribute keys, or beginnings of keys and `*`.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        super().__init__()
        listed = [key.encode() for key in keys]
        self._exact = frozenset(key for key in listed if not key.endswith(b"*"))
        self._beginnings = tuple(key[:-1] for key in listed if key.endswith(b"*"))

    def key(self, key: bytes) -> bool:
        """Whether an attribute of this key is forwarded."""
        return key in self._exact or key.startswith(self._beginnings)

    def __missing__(self, beginning: bytes) -> bool:
        """Decide for one that is not remembered."""
        if beginning[0] != KEY or beginning[1] > 127:
            raise IndexError  # not written as key, then value
        answer = self.key(beginning[2:])
        if len(self) < KNOWN_KEYS:
            self[beginning] = answer
        return answer


def redacted_traces(data: bytes, allowed: Allowed) -> bytes:
    """An ExportTraceServiceRequest without what is not allowed, in spans, events, links, scopes and resources.

    Raises:
        DecodeError: it is no such message.
    """
    return _redacted("Traces", data, allowed)


def redacted_logs(data: bytes, allowed: Allowed) -> bytes:
    """An ExportLogsServiceRequest without bodies and without what is not allowed, in records, scopes and resources.

    Raises:
        DecodeError: it is no such message.
    """
    return _redacted("Logs", data, allowed)


def _redacted(kind: str, data: bytes, allowed: Allowed) -> bytes:
    message, spans = _MADE[kind].FromString(data), kind == "Traces"
    for resource in message.resources:
        _cut(resource.resource.attributes, allowed)
        for scope in resource.scopes:
            _cut(scope.scope.attributes, allowed)
            for record in scope.records:
                _cut(record.attributes, allowed)
                if spans:
                    for event in record.events:
                        _cut(event.attributes, allowed)
                    for link in record.links:
                        _cut(link.attributes, allowed)
    message.DiscardUnknownFields()
    return bytes(message.SerializeToString())


def _cut(attributes: Any, allowed: Allowed) -> None:
    """Leave the attributes that are allowed, in their order."""
    try:
        kept = [each for each in attributes if allowed[each[: 2 + each[1]]] and _plain(each)]
    except IndexError:
        kept = [made for each in attributes if (made := _anew(each, allowed))]
    else:
        if len(kept) == len(attributes):
            return
    del attributes[:]
    attributes.extend(kept)


def _plain(pair: bytes) -> bool:
    """True for a KeyValue that is a short key and then one value of up to 16 KiB; raises IndexError for any other: a second key would win over the first."""
    at = 2 + pair[1]
    size = len(pair) - at - 2
    if size < 128:
        whole = pair[at + 1] == size
    else:
        size -= 1
        whole = size < 1 << 14 and pair[at + 1] == size & 127 | 128 and pair[at + 2] == size >> 7
    if whole and pair[at] == VALUE:
        return True
    raise IndexError


def _anew(pair: bytes, allowed: Allowed) -> bytes:
    """The KeyValue with one key and one value, or nothing when its key is not allowed."""
    read = _MADE["Pair"].FromString(pair)
    if not allowed.key(read.key):
        return b""
    read.DiscardUnknownFields()
    return bytes(read.SerializeToString())


def _messages() -> dict[str, Any]:
    package = "truegreen.redaction"
    file = descriptor_pb2.FileDescriptorProto(name="truegreen/redaction.proto", package=package, syntax="proto3")
    for name, fields in _SHADOW.items():
        message = file.message_type.add(name=name)
        for field in fields:
            of, number, kind = field.split()
            made = message.field.add(name=of, number=int(number), label=_REPEATED if kind[0] == "*" else _OPTIONAL)
            kind = kind.removeprefix("*")
            made.type = _TYPES.get(kind, _TYPES["message"])
            if kind not in _TYPES:
                made.type_name = f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in _SHADOW}


_MADE: Final = _messages()
