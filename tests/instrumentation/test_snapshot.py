"""Versions that the code and the configuration state: what lands on spans, and the record of what has served."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from truegreen.core.config import parse_text
from truegreen.core.errors import BadInput
from truegreen.instrumentation import TruegreenInstrumentor, generate, retrieval, served, settings, snapshot, stated
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import captured

CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
PLAIN = Settings(fallback=False)
COMPONENTS = ("model", "prompt", "retrieval_index", "tool_schema", "eval_dataset", "guardrail", "provider_changelog")


@pytest.fixture
def seen():
    """A provider with our plugin, without a fallback."""
    with captured(settings=PLAIN) as running:
        yield running
    snapshot.default(**dict.fromkeys(COMPONENTS))


def call(seen, name="chat", **more):
    """One LLM span."""
    seen.provider.get_tracer("app").start_span(name, attributes={**CALL, **more}).end()
    return seen.attributes(name)


def version(attributes, component="prompt"):
    return attributes.get(f"truegreen.version.{component}")


# --- where versions come from ---
def test_code_wins_over_variables_and_these_over_the_file(tmp_path, monkeypatch):
    """All seven, each from the highest place that states it; `default` stands between the block and the configuration."""
    (tmp_path / "t.json").write_text(json.dumps({"version": 1, "snapshot": {c: f"{c}@file" for c in COMPONENTS}}))
    told = settings.load(
        {
            "TRUEGREEN_CONFIG": str(tmp_path / "t.json"),
            **{f"TRUEGREEN_SNAPSHOT_{c.upper()}": f"{c}@variable" for c in COMPONENTS[:5]},
        }
    )
    assert told.problems == ()
    with captured(settings=told) as seen:
        snapshot.default(**{c: f"{c}@default" for c in COMPONENTS[:3]})
        with snapshot.use(**{c: f"{c}@block" for c in COMPONENTS[:2]}):
            got = call(seen)
    snapshot.default(**dict.fromkeys(COMPONENTS))
    places = ("block", "block", "default", "variable", "variable", "file", "file")
    assert [version(got, c) for c in COMPONENTS] == [f"{c}@{p}" for c, p in zip(COMPONENTS, places, strict=True)]


def test_files_and_packages_are_read_once_at_the_start(tmp_path):
    """A path lies beside the configuration; the line order of a set of records does not count, that of any other file does."""
    (tmp_path / "eval.jsonl").write_text('{"q": 1, "a": 2}\n{"q": 3}\n')
    (tmp_path / "rails.yaml").write_text("a: 1\nb: 2\n")
    (tmp_path / "truegreen.yaml").write_text(
        "snapshot: {eval_dataset: {file: eval.jsonl}, guardrail: {file: rails.yaml}, provider_changelog: {package: openai}}\n"
    )
    for source in (tmp_path / "truegreen.yaml", tmp_path / "truegreen.json"):
        if source.suffix == ".json":
            config = parse_text((tmp_path / "truegreen.yaml").read_text(), "truegreen.yaml", {}, None)
            source.write_text(generate.files(config, 1).files[generate.FILE])
        with captured(settings=settings.load({"TRUEGREEN_CONFIG": str(source)})) as seen:
            got = call(seen)
        assert version(got, "eval_dataset").startswith("eval@")
        assert version(got, "provider_changelog").startswith("openai@3.")
    first = version(got, "eval_dataset"), version(got, "guardrail")
    (tmp_path / "eval.jsonl").write_text('{"q":3}\n\n{"a":2,"q":1}')
    (tmp_path / "rails.yaml").write_text("b: 2\na: 1\n")
    assert snapshot.eval_dataset(tmp_path / "eval.jsonl") == first[0]
    (tmp_path / "eval.jsonl").write_text('{"q": 3}\n{"q": 1, "a": 2}\n{"q": 3}\n')
    assert snapshot.eval_dataset(tmp_path / "eval.jsonl") != first[0], "a record that is there twice counts twice"
    with captured(settings=settings.load({"TRUEGREEN_SNAPSHOT_GUARDRAIL": f"file:{tmp_path / 'rails.yaml'}"})) as seen:
        assert version(call(seen), "guardrail") not in (None, first[1])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"eval_dataset": {"file": "gone.jsonl"}},
            "gone.jsonl cannot be read (No such file or directory); write the path of a file",
        ),
        ({"guardrail": {"package": "no-such"}}, "there is no package 'no-such'; write the name by which pip lists it"),
        ({"guardrail": {"colour": "red"}}, "found {'colour': 'red'}; write a version, {file: PATH} or {package: NAME}"),
    ],
)
def test_a_source_that_cannot_be_read_is_said_and_leaves_the_rest(tmp_path, caplog, given, said):
    """The other versions are there all the same."""
    (tmp_path / "t.json").write_text(json.dumps({"version": 1, "snapshot": {"prompt": "p@1", **given}}))
    told = settings.load({"TRUEGREEN_CONFIG": str(tmp_path / "t.json")})
    with captured(settings=told) as seen:
        assert version(call(seen)) == "p@1"
    assert said in caplog.text


def test_the_configuration_names_a_wrong_source_with_its_line():
    """As every error of the file."""
    with pytest.raises(BadInput, match=r"t.yaml:2: snapshot.guardrail.* write a text.*or \{file: PATH\}, or \{package: NAME\}"):
        parse_text("snapshot:\n  guardrail: [a]\n", "t.yaml", {}, None)


def test_a_disk_that_hangs_does_not_hold_the_start_and_what_comes_late_is_used(tmp_path, caplog):
    """The start waits for half a second at most; here, for none."""
    (tmp_path / "eval.jsonl").write_text("{}\n")
    os.mkfifo(tmp_path / "hangs.jsonl")
    told = Settings(fallback=False, sources={"eval_dataset": ("file", str(tmp_path / "hangs.jsonl"))})
    running = []
    found = stated.Stated(told, patience=0.0, start=lambda run: running.append(stated._thread(run)) or running[0])
    assert found.versions == {}
    assert "files were not read within" in caplog.text
    (tmp_path / "hangs.jsonl").write_text("{}\n")  # the other end of the pipe: the disk answers
    running[0].join(20)
    assert found.versions["eval_dataset"].startswith("hangs@")


# --- blocks, decorators, threads, tasks ---
def test_a_decorator_holds_for_functions_coroutines_and_generators(seen):
    """A generator is inside from one item to the next; whoever reads it is not."""
    use = snapshot.use(prompt="p@1")

    @use
    def plain():
        return version(call(seen))

    @use
    async def coroutine():
        await asyncio.sleep(0)
        return version(call(seen))

    @use
    def generator():
        sent = yield version(call(seen))
        yield sent, version(call(seen))
        return "end"

    @use
    async def stream():
        yield version(call(seen))
        await asyncio.sleep(0)
        yield version(call(seen))

    def read():
        made = generator()
        first, outside = next(made), version(call(seen))
        second = made.send("sent")
        with pytest.raises(StopIteration, match="end"):
            next(made)
        return first, outside, second

    async def read_stream():
        found = []
        async for item in stream():
            found += [item, version(call(seen))]
        return found

    assert plain() == plain() == "p@1"
    assert asyncio.run(coroutine()) == "p@1"
    assert read() == ("p@1", None, ("sent", "p@1"))
    assert asyncio.run(read_stream()) == ["p@1", None, "p@1", None]
    assert version(call(seen)) is None
    assert (plain.__name__, asyncio.iscoroutinefunction(coroutine)) == ("plain", True)


def test_a_decorated_generator_is_closed_and_passes_errors_on(seen):
    """As without the decorator."""
    told = []

    @snapshot.use(prompt="p@1")
    def generator():
        try:
            yield 1
            yield 2
        except KeyError:
            told.append(version(call(seen)))
            yield 3
        finally:
            told.append("closed")

    made = generator()
    next(made)
    assert made.throw(KeyError()) == 3
    made.close()
    assert told == ["p@1", "closed"]


def test_tasks_get_the_block_around_them_and_do_not_share_theirs(seen):
    """One object may be open in many tasks at once."""
    shared = snapshot.use(guardrail="g@1")

    async def one(name):
        with shared, snapshot.use(prompt=name):
            await asyncio.sleep(0)
            inner = await asyncio.create_task(asyncio.to_thread(call, seen, f"chat {name}"))
        return version(inner), version(inner, "guardrail"), version(inner, "tool_schema")

    async def both():
        with snapshot.use(tool_schema="t@1"):
            found = await asyncio.gather(one("a@1"), one("b@1"))
        return found, version(call(seen), "guardrail")

    assert asyncio.run(both()) == ([("a@1", "g@1", "t@1"), ("b@1", "g@1", "t@1")], None)


def test_a_thread_pool_gets_the_versions_by_carried_and_only_so(seen):
    """Without it a pool's thread has an empty context: the trap that the helper is for."""
    with ThreadPoolExecutor(1) as pool:
        with snapshot.use(prompt="p@1"):
            bare = pool.submit(call, seen, "bare").result()
            told = pool.submit(snapshot.carried(call), seen, "told").result()
        after = pool.submit(call, seen, "after").result()
    assert [version(one) for one in (bare, told, after)] == [None, "p@1", None]


def test_a_thread_gets_them_too(seen):
    """`threading.Thread`."""
    found = []
    with snapshot.use(prompt="p@1"):
        thread = threading.Thread(target=snapshot.carried(lambda: found.append(version(call(seen)))))
    thread.start()
    thread.join()
    assert found == ["p@1"]


def test_what_cannot_be_read_is_left_out_and_counted(seen, caplog):
    """Foreign objects may raise whatever they like."""

    class Bad:
        @property
        def name(self):
            raise RuntimeError("ZEBRA")

        def __str__(self):
            raise RuntimeError("ZEBRA")

    with snapshot.use(prompt=Bad(), guardrail=Bad(), retrieval_index=Bad(), tool_schema=Bad(), model="m@1"):
        got = call(seen)
    assert (version(got), version(got, "guardrail"), version(got, "model")) == (None, None, "m@1")
    assert "failed in snapshot.use" in caplog.text
    assert "ZEBRA" not in caplog.text
    snapshot.default(colour="red", guardrail=Bad())
    assert "colour is not a component; write one of model, prompt" in caplog.text


# --- seen by itself: the index of a retrieval in the same trace ---
def test_an_index_that_a_retrieval_names_serves_the_calls_of_its_trace(seen):
    """And no other trace."""
    tracer = seen.provider.get_tracer("app")
    with tracer.start_as_current_span("request"):
        retrieval(documents=["a"], data_source="kb", index="kb_v2", index_alias="kb")
        first = call(seen, "first")
        retrieval(documents=["a"], data_source="faq", index="faq", index_version="7")
        second = call(seen, "second")
    assert version(first, "retrieval_index") == "kb@kb_v2"
    assert version(second, "retrieval_index") == "faq@7,kb@kb_v2"
    assert version(call(seen, "other"), "retrieval_index") is None


# --- the record ---
def test_the_record_holds_all_seven_and_every_prompt_and_model_of_the_window(app, ask, fake, server):
    """Asked, served and the provider's fingerprint come from the response of the real SDK; it is ready for JSON."""
    _, client = app(settings=Settings(fallback=False, snapshot={"eval_dataset": "e@1"}))
    server.served["alias"] = "alias-2026-01"
    with snapshot.use(prompt="a@1", guardrail="g@1"):
        ask(client, "alias")
        ask(client, "alias")
    server.served["alias"] = "alias-2026-02"
    with snapshot.use(prompt="b@1"):
        ask(client, "alias")
    found = json.loads(json.dumps(snapshot.record()))
    assert set(found["components"]) == set(COMPONENTS)
    counted = {c: [(e["version"], e["calls"]) for e in listed] for c, listed in found["components"].items()}
    assert counted["prompt"] == [("a@1", 2), ("b@1", 1)]
    assert counted["eval_dataset"] == [("e@1", 3)]
    assert counted["guardrail"] == [("g@1", 2)]
    assert counted["retrieval_index"] == []
    model = found["components"]["model"][0]
    assert (model["asked"], model["served"], model["fingerprint"]) == ("alias", "alias-2026-01", "fp_1")
    assert [m["served"] for m in found["components"]["model"]] == ["alias-2026-01", "alias-2026-02"]
    assert sum(s["calls"] for s in found["snapshots"]) == 3
    assert all(len(s["id"]) == 12 for s in found["snapshots"])
    assert found["components"]["prompt"][0]["first"] <= found["components"]["prompt"][0]["last"] <= found["taken"]


def test_a_second_span_of_one_call_is_not_counted_again(seen):
    """Two libraries, one call."""
    tracer = seen.provider.get_tracer
    outer = tracer("outer").start_as_current_span("outer", attributes={**CALL, "gen_ai.response.id": "r"})
    with outer:
        tracer("inner").start_span("inner", attributes={**CALL, "gen_ai.response.id": "r"}).end()
    assert [entry["calls"] for entry in snapshot.record()["components"]["model"]] == [1]


def test_the_window_has_minutes_and_the_record_is_bounded():
    """The clock is given."""
    now = SimpleNamespace(at=0.0)
    kept = served.Served(lambda: now.at)

    def ran(prompt):
        return served.Ran("", (("prompt", prompt),), "", "", "")

    for minute in range(120):
        now.at = minute * 60.0
        kept.note(ran(f"p@{minute // 60}"), now.at)
        kept.note(ran("steady"), now.at)
    _, last = kept.within(30 * 60)
    assert {r.versions[0][1]: s.calls for r, s in last.items()} == {"p@1": 31, "steady": 31}
    _, whole = kept.within(2 * 3600)
    assert {r.versions[0][1]: (s.calls, s.first, s.last) for r, s in whole.items()}["p@0"] == (60, 0.0, 59 * 60.0)
    for n in range(served.ENTRIES + 500):
        kept.note(ran(f"flood {n}"), now.at)
    assert sum(map(len, kept._minutes.values())) <= served.ENTRIES
    assert len(kept.within(60)[1]) <= served.ENTRIES


def test_uninstrument_forgets_what_served(app, ask, fake):
    """It leaves no trace."""
    _, client = app(settings=PLAIN)
    ask(client)
    assert snapshot.record()["snapshots"]
    TruegreenInstrumentor().uninstrument()
    assert snapshot.record()["snapshots"] == []
