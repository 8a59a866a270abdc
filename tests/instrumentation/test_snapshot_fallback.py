"""What stands for the version of a prompt that nobody names: the revision checked out, the resource, the package."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from truegreen.instrumentation import failures, settings, snapshot
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


def _git(folder, *arguments):
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, env={**os.environ, **GIT}
    )
    return done.stdout.strip()


GIT = {
    k: "t@example.org" if "EMAIL" in k else "t"
    for k in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")
}


def _repository(folder):
    folder.mkdir()
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    return _git(folder, "rev-parse", "HEAD")[:12]


def _fallback(seen, **more):
    return version(call(seen, **more))


def _packed(folder):
    _git(folder, "pack-refs", "--all")
    return folder


def _worktree(folder):
    _git(folder, "worktree", "add", "-q", "-b", "other", str(folder.parent / "tree"))
    return folder.parent / "tree"


def _detached(folder):
    _git(folder, "checkout", "-q", "--detach")
    return folder


def _below(folder):
    (folder / "a" / "b").mkdir(parents=True)
    return folder / "a" / "b"


@pytest.mark.parametrize(
    "state", [lambda f: f, _packed, _worktree, _detached, _below], ids=["loose", "packed", "worktree", "detached", "below"]
)
def test_the_revision_stands_for_a_prompt_that_nobody_names(tmp_path, monkeypatch, state):
    """As git itself says it, read without starting a process; only a chat has a prompt, and any other word wins."""
    expected = _repository(tmp_path / "shop")
    monkeypatch.chdir(state(tmp_path / "shop"))
    monkeypatch.setattr(sys, "argv", [""])
    monkeypatch.setattr(sys.modules["__main__"], "__file__", None, raising=False)
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("started a process"))
    with captured() as seen:
        got = call(seen)
        assert version(got) == f"git:{expected}"
        assert "truegreen.prompt.template" not in got
        assert version(call(seen, **{"gen_ai.operation.name": "embeddings"})) is None
        assert version(call(seen, **{"gen_ai.prompt.name": "p", "gen_ai.prompt.version": "3"})) == "p@3"
        with snapshot.use(prompt="q@1"):
            assert version(call(seen)) == "q@1"
    with captured(settings=settings.load({"TRUEGREEN_SNAPSHOT_FALLBACK": "false"})) as seen:
        assert version(call(seen)) is None


def test_without_a_repository_the_resource_and_then_the_package_stand_for_it(tmp_path, monkeypatch):
    """`service.version` is stated by who deploys; a runner of other people's applications is no package of theirs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", None, raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    monkeypatch.setattr(sys, "argv", ["/bin/langfuse"])  # any installed distribution stands for the application's own
    with captured(resource={"service.version": "1.4.2"}) as seen:
        assert version(call(seen)) == "service:1.4.2"
    with captured(resource={"service.version": "1.4.2", "vcs.ref.head.revision": "ab" * 20}) as seen:
        assert version(call(seen)) == "git:abababababab"
    with captured() as seen:
        assert version(call(seen)).startswith("package:langfuse@5.")
    monkeypatch.setattr(sys, "argv", ["/bin/pytest"])
    with captured() as seen:
        assert version(call(seen)) is None


@pytest.mark.parametrize("content", ["", "ref: refs/heads/gone\n", "ref: ../../../../etc/passwd\n", "\xff\xfe", "x" * 100_000])
def test_a_broken_repository_is_no_revision(tmp_path, monkeypatch, content):
    """And raises nothing."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(content, encoding="latin-1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [""])
    monkeypatch.setattr(sys.modules["__main__"], "__file__", None, raising=False)
    with captured() as seen:
        assert version(call(seen)) is None
    assert failures.counted() == {}
