"""What nobody thought of: schemathesis asks the sampling endpoint what its description allows, and what it does not."""

from contextlib import contextmanager

import pytest
from endpoint_server import Sink, serving, tokens
from hypothesis import HealthCheck, given, seed, settings

HEADERS = {"Authorization": "Bearer t"}
SEED = 1
REFUSED = {"checks": {"negative_data_rejection": {"expected-statuses": [400, 401, 405, 408, 409, 413, 415, 422]}}}


@contextmanager
def fuzzed(folder):
    """The endpoint with a token; at its end nothing that it took is lost."""
    sink = Sink()
    try:
        with serving(sink.address, {}, token_file=tokens(folder, "t"), items=100_000, timeout=5.0) as found:
            yield found
            assert found.client.get("/healthz").status_code == 200
        summary = found.running.summary()
        assert summary["accepted"] == summary["delivered"] > 0 and not summary["dropped"]
    finally:
        sink.stop()


def ask(server, examples):
    """So many requests of each kind, to each address."""
    import schemathesis  # here: it takes seconds, and the fast half has no use for it
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks as openapi

    checks = [
        not_a_server_error, openapi.status_code_conformance, openapi.content_type_conformance, openapi.response_headers_conformance,
        openapi.response_schema_conformance, openapi.negative_data_rejection, openapi.positive_data_acceptance, openapi.ignored_auth,
        openapi.unsupported_method,
    ]  # fmt: skip
    described = schemathesis.openapi.from_url(f"{server.running.url}/openapi.json", config=schemathesis.Config.from_dict(REFUSED))
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        for operation in described.get_all_operations():

            @seed(SEED)
            @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.ok().as_strategy(generation_mode=mode))
            def request(case):
                case.call_and_validate(headers=HEADERS, checks=checks)

            request()


@pytest.mark.full
def test_what_the_description_allows_is_taken_and_everything_else_is_refused_in_words(tmp_path):
    """Statuses, types, headers and shapes of the answers are as described; nothing is a server error."""
    with fuzzed(tmp_path) as server:
        ask(server, 40)
