"""The Langfuse client against a local server that speaks its prompt contract, refusals included."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from local_server import Call, Reply, in_turn, local

from truegreen.core.clients import http, langfuse
from truegreen.core.errors import BadInput, Failed

TEXT = "You are the support agent of the shop."
KEYS = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk"}


def contract() -> Callable[[Call], Reply]:
    """Two versions of one prompt whose labels can be moved, and the list in two pages."""
    labels: dict[int, list[str]] = {1: [], 2: ["production", "latest"]}

    def version(number: int) -> dict[str, Any]:
        told = {"name": "support/answer", "version": number, "type": "text", "prompt": TEXT, "config": {}, "tags": ["t"]}
        return {**told, "labels": list(labels[number])}

    def answer(call: Call) -> Reply:
        if call.headers.get("Authorization") != "Basic " + base64.b64encode(b"pk:sk").decode():
            return Reply({"message": "Invalid credentials"}, 401)
        if call.method == "PATCH" and call.path == "/api/public/v2/prompts/support%2Fanswer/versions/1":
            for moved in json.loads(call.body)["newLabels"]:
                labels[2] = [label for label in labels[2] if label != moved]
                labels[1].append(moved)
            return Reply(version(1))
        if call.path == "/api/public/v2/prompts":
            page = call.params["page"][0]
            item = {
                "name": f"p{page}",
                "versions": [2, 1],
                "labels": ["production"],
                "tags": [],
                "lastUpdatedAt": "t",
                "type": "text",
            }
            return Reply({"data": [item], "meta": {"page": int(page), "totalPages": 2}})
        if call.path == "/api/public/v2/prompts/support%2Fanswer":
            wanted = call.params.get("label", [""])[0]
            number = call.params.get("version", [""])[0]
            for known, held in labels.items():
                if wanted in held or number == str(known):
                    return Reply(version(known))
        return Reply({"message": "Prompt not found"}, 404)

    return answer


def test_a_prompt_is_read_by_label_and_by_version_and_its_label_is_moved() -> None:
    """The rollback of a prompt: the label goes to the old version, the next read gives it."""
    with local(contract()) as (url, calls):
        server = langfuse.connect(url, environ=KEYS)
        assert langfuse.get_prompt(server, "support/answer").version == 2
        old = langfuse.get_prompt(server, "support/answer", version=1)
        assert (old.version, old.labels, old.kind, old.tags, old.body) == (1, (), "text", ("t",), TEXT)
        moved = langfuse.set_labels(server, "support/answer", 1, ["production"])
        assert moved.labels == ("production",)
        assert langfuse.get_prompt(server, "support/answer", label="production").version == 1
        assert langfuse.get_prompt(server, "support/answer", label="latest").version == 2
        assert calls[2].body == '{"newLabels":["production"]}'


def test_every_page_of_the_list_is_read() -> None:
    """Two pages of one prompt each."""
    with local(contract()) as (url, calls):
        listed = langfuse.list_prompts(langfuse.connect(url, environ=KEYS), "p")
        assert [(item.name, item.versions, item.labels) for item in listed] == [
            ("p1", (1, 2), ("production",)),
            ("p2", (1, 2), ("production",)),
        ]
        assert calls[0].params["name"] == ["p"]


def test_the_text_of_a_prompt_is_not_in_its_repr() -> None:
    """A prompt that is logged by mistake shows its name and version."""
    with local(contract()) as (url, _calls):
        prompt = langfuse.get_prompt(langfuse.connect(url, environ=KEYS), "support/answer")
    assert TEXT not in repr(prompt)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "answered 401 for prompt 'a' with a version with label 'production': the keys are not known there"),
        (403, "the keys may not do this"),
        (404, "has no prompt 'a' with a version with label 'production': check the name"),
        (409, "another change was made at the same time"),
        (429, "answered 429: no; it is asked too often, try again later"),
        (500, "answered 500: no; it has trouble of its own"),
    ],
)
def test_every_refusal_of_langfuse_is_one_clear_error(status: int, words: str) -> None:
    """What was asked, what was answered, what to do; the keys are never said."""
    with local(in_turn(Reply({"message": "no"}, status))) as (url, _calls):
        server = replace(langfuse.connect(url, "pk-secret", "sk-secret", {}), sleep=lambda _seconds: None)
        with pytest.raises(http.HttpFailed, match=words) as failed:
            langfuse.get_prompt(server, "a")
        assert failed.value.status == status
        assert url in str(failed.value)
        assert "secret" not in str(failed.value) + repr(server)


@pytest.mark.parametrize(("status", "times"), [(503, http.TRIES), (429, http.TRIES), (500, 1), (409, 1)])
def test_moving_a_label_is_sent_again_only_where_the_server_asks_to_wait(status: int, times: int) -> None:
    """And then the same words: the same labels twice change nothing."""
    with local(in_turn(Reply({"message": "busy"}, status))) as (url, calls):
        server = replace(langfuse.connect(url, environ=KEYS), sleep=lambda _: None)
        with pytest.raises(Failed, match=f"{status}"):
            langfuse.set_labels(server, "a", 1, ["production"])
        assert len(calls) == times and len({call.raw for call in calls}) == 1


def test_the_reserved_label_and_a_double_question_are_bad_input() -> None:
    """Nothing is sent."""
    with local(contract()) as (url, calls):
        server = langfuse.connect(url, environ=KEYS)
        with pytest.raises(BadInput, match="'latest' is Langfuse's own"):
            langfuse.set_labels(server, "a", 1, ["production", "latest"])
        with pytest.raises(BadInput, match="name one of them"):
            langfuse.get_prompt(server, "a", label="production", version=1)
        assert calls == []


def test_keys_and_address_come_from_the_environment_or_from_files(tmp_path: Path) -> None:
    """As in the SDK: LANGFUSE_BASE_URL before LANGFUSE_HOST before the cloud; a missing key names its variable."""
    (tmp_path / "sk").write_text("sk\n")
    keys = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY_FILE": str(tmp_path / "sk")}
    with local(contract()) as (url, _calls):
        server = langfuse.connect(environ={**keys, "LANGFUSE_BASE_URL": url, "LANGFUSE_HOST": "http://other.invalid"})
        assert langfuse.get_prompt(server, "support/answer").version == 2
        assert langfuse.connect(environ={**keys, "LANGFUSE_HOST": url}).url == url
    assert langfuse.connect(environ=keys).url == langfuse.CLOUD
    with pytest.raises(BadInput, match="LANGFUSE_SECRET_KEY is not set"):
        langfuse.connect(environ={"LANGFUSE_PUBLIC_KEY": "pk"})
