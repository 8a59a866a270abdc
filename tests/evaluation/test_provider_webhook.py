"""The signed webhook: who is let in, what is kept, and that OpenAI's own SDK agrees with the signature."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from truegreen.core.errors import BadInput
from truegreen.evaluation.provider import signature, store, webhook

NOW = 1_750_000_000
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = json.dumps(webhook.EXAMPLE).encode()


@pytest.fixture
def post(tmp_path: Path) -> Callable[..., Any]:
    """Send a body, signed unless told otherwise."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    app = FastAPI()
    app.include_router(webhook.router(tmp_path / "changes.json", tmp_path / "secret", lambda: NOW))
    client = TestClient(app)

    def sent(body: bytes = BODY, time: int = NOW, key: bytes = KEY, **headers: str) -> Any:
        signed = {"webhook-id": "m1", "webhook-timestamp": str(time), "webhook-signature": signature.sign(key, "m1", time, body)}
        kept = {
            name: value for name, value in {**signed, **{k.replace("_", "-"): v for k, v in headers.items()}}.items() if value
        }
        return client.post(webhook.PATH, content=body, headers=kept)

    return sent


def test_what_is_signed_is_kept_once(post: Callable[..., Any], tmp_path: Path) -> None:
    """A replay changes nothing."""
    assert post().json() == {"new": 1, "kept": 1}
    assert post().json() == {"new": 0, "kept": 1}
    (entry,) = store.read(tmp_path / "changes.json")
    assert (entry.provider, entry.models, entry.source) == ("openai", ("gpt-4-0613",), "webhook")


def test_who_does_not_know_the_secret_writes_nothing(post: Callable[..., Any], tmp_path: Path) -> None:
    """Another key, another body, another id, an old message, one of tomorrow, no headers, nonsense."""
    refused = [
        post(key=b"x" * 32), post(webhook_id="m2"), post(time=NOW - 301), post(time=NOW + 301), post(webhook_signature=""), post(webhook_id=""),
        post(webhook_signature="v1,"), post(webhook_signature="v1a," + "A" * 44), post(webhook_timestamp="-1"), post(webhook_timestamp="1e9"),
        post(body=BODY, webhook_signature=signature.sign(KEY, "m1", NOW, BODY + b" ")),
    ]  # fmt: skip
    assert [one.status_code for one in refused] == [401] * len(refused)
    assert not (tmp_path / "changes.json").exists()


def test_two_secrets_while_one_replaces_the_other(post: Callable[..., Any], tmp_path: Path) -> None:
    """Read anew for each message; a broken file lets nobody in."""
    other = b"y" * 24
    (tmp_path / "secret").write_text(f"{SECRET}\nwhsec_{base64.b64encode(other).decode()}\n")
    assert post(key=other).status_code == post().status_code == 200
    assert post(webhook_signature="v1,no " + signature.sign(KEY, "m1", NOW, BODY)).status_code == 200
    (tmp_path / "secret").write_text("whsec_short\n")
    assert post().status_code == 503


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"items": []}',
        b'{"items": 1}',
        b'{"items": [1]}',
        b"[" * 60_000,
        b'{"items": [{"id": "1", "_truegreen": 1}]}',
        b'{"items": [{"id": "1", "_truegreen": {"models": ["\\ud800"]}}]}',
        b'{"items": [{"id": 1e400}]}',
        b'{"provider": "\\ud800\\u200b", "items": [{"id": "1"}]}',
        b'{"provider": 1, "items": [{"id": "1"}]}',
    ],
)
def test_a_signed_body_that_is_no_feed_is_400(post: Callable[..., Any], tmp_path: Path, body: bytes) -> None:
    """One line that says what is wrong."""
    answer = post(body=body)
    assert answer.status_code == 400 and "\n" not in answer.json()["error"]
    assert not [*tmp_path.glob("*.json"), *tmp_path.glob(".*")]


def test_a_large_body_is_not_read_to_its_end(post: Callable[..., Any]) -> None:
    """413 before the signature is looked at."""
    assert post(body=b" " * (webhook.LARGEST + 1), webhook_signature="v1,x").status_code == 413


def test_a_broken_file_of_changes_is_our_fault_and_is_left(post: Callable[..., Any], tmp_path: Path) -> None:
    """503: the sender is to come again."""
    (tmp_path / "changes.json").write_text("{")
    answer = post()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert (tmp_path / "changes.json").read_text() == "{"


@pytest.mark.parametrize(
    ("text", "says"), [("", "empty"), ("whsec_AAAA", "line 1"), ("whsec_ä", "line 1"), ("# only a remark", "empty")]
)
def test_a_secret_that_is_none_is_said_and_not_quoted(tmp_path: Path, text: str, says: str) -> None:
    """Before the server starts."""
    (tmp_path / "secret").write_text(text)
    with pytest.raises(BadInput, match=says) as refused:
        webhook.router(tmp_path / "changes.json", tmp_path / "secret")
    assert "AAAA" not in str(refused.value)


def test_a_known_signature_comes_out() -> None:
    """The example that the specification's own libraries are tested with."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature.sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.full
def test_the_sdk_of_openai_takes_our_signature() -> None:
    """Its webhooks follow the same specification: its check is the oracle of ours."""
    import time

    openai = pytest.importorskip("openai")
    client = openai.OpenAI(api_key="x", webhook_secret=SECRET, base_url="http://127.0.0.1:9")
    now = int(time.time())
    headers = {"webhook-id": "m1", "webhook-timestamp": str(now), "webhook-signature": signature.sign(KEY, "m1", now, BODY)}
    client.webhooks.verify_signature(BODY.decode(), headers)
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.verify_signature(BODY.decode() + " ", headers)


def test_the_page_has_the_example(tmp_path: Path) -> None:
    """OpenAPI shows what to send."""
    (tmp_path / "secret").write_text(SECRET)
    app = FastAPI()
    app.include_router(webhook.router(tmp_path / "changes.json", tmp_path / "secret"))
    shown = TestClient(app).get("/openapi.json").json()["paths"][webhook.PATH]["post"]
    assert shown["requestBody"]["content"]["application/json"]["example"] == webhook.EXAMPLE
