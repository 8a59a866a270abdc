"""`collector.forward` of `truegreen.yaml`: what it becomes, and what is not taken."""

import re
from pathlib import Path

import pytest

from truegreen.core.config import load, parse_text
from truegreen.core.config.forward import Redact
from truegreen.core.errors import BadInput


def forward(entry: str):
    return parse_text(f"collector:\n  forward:\n  - {{{entry}}}\n", "truegreen.yaml", {}, None).collector.forward


def test_a_name_and_an_endpoint_are_enough():
    """Everything else has a default, and nothing is redacted unless it is asked for."""
    (made,) = forward("name: tempo, endpoint: 'http://tempo:4318/'")
    assert (made.endpoint, made.protocol, made.signals, made.compression) == (
        "http://tempo:4318",
        "http",
        ("traces", "logs"),
        "keep",
    )
    assert (made.queue, made.when_full, made.in_flight, made.timeout, made.max_age) == (64 << 20, "drop", 8, 10.0, 300.0)
    assert (made.headers, made.header_files, made.redact) == ({}, {}, None)
    assert parse_text("", "truegreen.yaml", {}, None).collector.flush == 10.0


def test_files_lie_beside_the_configuration(tmp_path: Path):
    """Headers and certificates by a relative path; an absolute one stays."""
    (tmp_path / "truegreen.yaml").write_text(
        "collector:\n  forward:\n  - name: a\n    endpoint: https://a.example/otel\n    headers: {Authorization: {file: secrets/a}, X-Scope: one}\n"
        "    tls: {ca: /etc/ca.pem}\n    redact: {allow: [http.*], defaults: false}\n"
    )
    (made,) = load(tmp_path / "truegreen.yaml", {}).collector.forward
    assert made.header_files == {"Authorization": tmp_path / "secrets/a"}
    assert (made.headers, made.ca, made.redact) == ({"X-Scope": "one"}, Path("/etc/ca.pem"), Redact(("http.*",), defaults=False))


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("name: a, endpoint: 'tempo:4318'", 'forward[0].endpoint: found "tempo:4318"; write an address without user'),
        (
            "name: a, endpoint: 'http://a:99999'",
            "forward[0].endpoint: http://a:99999: Port out of range 0-65535; write an address",
        ),
        ("name: a, endpoint: 'http://a:4318x'", "write an address such as http://tempo:4317"),
        ("name: a, endpoint: 'http://[::1'", "Invalid IPv6 URL; write an address"),
        ("name: a, endpoint: 'https://a', headers: {Truegreen-Via: x}", "the collector sets this header itself"),
        ("name: a, endpoint: 'https://pk:sk@a.example'", "write an address without user"),
        ("name: a, endpoint: 'https://a.example/x?key=1'", "write an address without user"),
        (
            "name: a, endpoint: 'https://a.example/otel/v1/traces'",
            "the path of a signal is appended; write https://a.example/otel",
        ),
        ("name: a, protocol: grpc, endpoint: 'https://a.example/otel'", "gRPC has no path; write https://a.example"),
        (
            "name: a, endpoint: 'https://a', headers: {x-api-key: abc}",
            "headers.x-api-key: found a text where a secret belongs; write {file:",
        ),
        (
            "name: a, endpoint: 'https://a', headers: {x-honeycomb-team: abc}",
            "headers.x-honeycomb-team: found a text where a secret",
        ),
        ("name: a, endpoint: 'https://a', headers: {uptrace-dsn: abc}", "headers.uptrace-dsn: found a text where a secret"),
        ("name: a, endpoint: 'https://a', headers: {Content-Type: abc}", "the collector sets this header itself"),
        ("name: a, endpoint: 'https://a', headers: {X: \"a\\nb\"}", "headers.X"),
        ("name: a, endpoint: 'http://a', tls: {ca: x}", "is without TLS; write https://"),
        ("name: a, endpoint: 'https://a', tls: {cert: x}", "forward[0].tls"),
        ("name: a, endpoint: 'https://a', queue: 64MB", "write a whole number and a unit, such as 64MiB"),
        ("name: a, endpoint: 'https://a', redact: {allow: ['a*b']}", "such as http.*"),
        ("name: A, endpoint: 'https://a'", "write a lower-case name, such as langfuse"),
        ("name: a, endpoint: 'https://a'}\n  - {name: a, endpoint: 'https://b'", "forward[1].name: a is there twice"),
    ],
)
def test_what_is_not_taken_says_what_to_write(entry: str, says: str):
    """One line with the place; a secret in the file is refused, and never repeated."""
    with pytest.raises(BadInput) as caught:
        forward(entry)
    assert says in str(caught.value)
    assert "abc" not in str(caught.value)


def test_the_example_of_the_page_is_a_configuration():
    """docs/forwarding.md can be copied."""
    page = (Path(__file__).parents[2] / "docs" / "forwarding.md").read_text()
    example = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1]
    made = parse_text(example, "truegreen.yaml", {}, None).collector.forward
    assert [(one.name, one.protocol, one.signals, one.redact) for one in made] == [
        ("langfuse", "http", ("traces",), None),
        ("langsmith", "http", ("traces",), None),
        ("tempo", "grpc", ("traces",), Redact()),
    ]
