"""The root command: what it loads, how it ends, and what `generate` leaves behind."""

import json
import os
import subprocess
import sys

import pytest


def run(*arguments: str, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "truegreen.core", *arguments], capture_output=True, text=True, cwd=cwd, timeout=120
    )


@pytest.mark.parametrize("arguments", [["--help"], ["baseline", "--help"]])
def test_help_loads_no_plugin(arguments):
    """Asking for help reads names only: no module of a plugin is imported."""
    code = (
        "import sys\nfrom truegreen.core.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "print('LOADED', sorted(m for m in sys.modules if m.startswith('truegreen.') and not m.startswith('truegreen.core')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout
    assert "LOADED []" in out
    assert ("postmortem" in out) or ("take" in out)


def test_every_command_has_config_and_json():
    """`--config` and `--json` are on every command, groups' commands included."""
    import click

    from truegreen.core.cli import root

    def leaves(command, ctx, path):
        if isinstance(command, click.Group):
            for name in command.list_commands(ctx):
                yield from leaves(command.get_command(ctx, name), ctx, [*path, name])
        else:
            yield path, command

    found = dict((" ".join(path), {o for p in c.params for o in p.opts}) for path, c in leaves(root, click.Context(root), []))
    assert {
        "collect",
        "generate",
        "baseline take",
        "replay",
        "demo",
        "triage",
        "contain pin-model",
        "rollback prompt",
        "postmortem",
    } <= set(found)
    assert {name: options for name, options in found.items() if not {"--config", "--json"} <= options} == {}


def test_unknown_commands_and_bad_configuration_exit_2_without_a_traceback(tmp_path):
    """Usage and bad input are exit code 2, and nothing is written."""
    bad = tmp_path / "truegreen.yaml"
    bad.write_text("slos:\n- name: grounding\n  objective: 0.95\n")
    for arguments in (
        ["nonsense"],
        ["generate", "rules"],
        ["generate", "rules", "--out", str(tmp_path / "out"), "--config", str(bad)],
        ["generate", "nothing", "--out", str(tmp_path / "out")],
        ["generate", "rules", "--out", str(tmp_path / "out"), "--time-scale", "61"],
    ):
        done = run(*arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stderr.strip()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lacking", ["click.testing", "numpy"])
def test_a_package_that_is_missing_is_one_line_with_the_whole_command_and_what_to_install(lacking, tmp_path):
    """Whether the command cannot be imported at all, as with the one that is planted, or lacks it when it runs."""
    calls = [
        {"query": "q", "context": ["It costs 5 euros."], "answer": f"It costs {n} euros.", "model": "m", "y": n % 2}
        for n in range(20)
    ]
    (tmp_path / "calls.jsonl").write_text("\n".join(map(json.dumps, calls)))
    code = (
        "import sys, importlib.metadata as metadata\n"
        "from truegreen.core import cli\n"
        f"sys.modules[{lacking!r}] = None\n"
        "planted = metadata.EntryPoint('evaluator.plant', 'click.testing:CliRunner [evaluate]', cli.GROUP)\n"
        "known = cli._points()\n"
        "cli._points = lambda: (*known, planted)\n"
        f"cli.main(['evaluator', {'measure' if lacking == 'numpy' else 'plant'!r}, '--json', 'calls.jsonl'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    command = "truegreen evaluator measure" if lacking == "numpy" else "truegreen evaluator plant"
    says = f"`{command}` needs the package {lacking}; run: pip install 'truegreen[evaluate]'"
    assert (done.returncode, done.stderr.splitlines()[-1:]) == (1, [f"error: {says}"])
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout) == {"error": says, "exit_code": 1}


def test_generate_writes_checks_and_shows_the_difference(tmp_path):
    """`--check` exits 0 when the files are fresh and 1 with the diff when one was edited."""
    out = tmp_path / "out"
    assert run("generate", "all", "--out", str(out), cwd=tmp_path).returncode == 0
    assert {p.name for p in out.iterdir()} == {"app", "collector", "dashboards", "rules"}
    assert run("generate", "all", "--out", str(out), "--check", cwd=tmp_path).returncode == 0
    rules = out / "rules" / "truegreen.rules.yml"
    rules.write_text(rules.read_text().replace("TruegreenBudgetBurn", "Renamed", 1))
    before = rules.read_text()
    done = run("generate", "all", "--out", str(out), "--check", cwd=tmp_path)
    assert done.returncode == 1
    assert "-" in done.stdout and "Renamed" in done.stdout and "are stale" in done.stderr
    assert rules.read_text() == before


def test_generate_prints_json_for_machines(tmp_path):
    """`--json` prints one object and nothing else on standard output."""
    done = run("generate", "rules", "--out", str(tmp_path / "out"), "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["figures"]["rules"]


def test_what_lies_in_the_way_is_said_and_not_raised(tmp_path):
    """A file that is no text is stale; a folder where a file belongs is named."""
    from truegreen.core import generate
    from truegreen.core.errors import Failed

    (tmp_path / "a.yml").write_bytes(b"new\xff")
    assert "+new" in generate.stale(tmp_path, {"a.yml": "new"})
    (tmp_path / "b.yml").mkdir()
    with pytest.raises(Failed, match=r"b\.yml: a folder lies where a file belongs; remove it"):
        generate.write(tmp_path, {"a.yml": "new", "b.yml": "new"})
    assert (tmp_path / "a.yml").read_bytes() == b"new\xff"


def test_an_error_that_nobody_reads_keeps_its_exit_code(tmp_path):
    """As after `--json | head`."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "truegreen.core", "generate", "nothing", "--out", str(tmp_path), "--json"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, cwd=tmp_path)
    os.close(writer)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr


def test_a_full_disk_leaves_the_old_files_whole(tmp_path, monkeypatch):
    """When one file cannot be written, none is replaced and no temporary file stays."""
    from truegreen.core import generate

    generate.write(tmp_path, {"a.yml": "old"})
    real = os.fdopen

    def full(handle, *args, **kwargs):
        os.close(handle)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(generate.os, "fdopen", full)
    with pytest.raises(OSError):
        generate.write(tmp_path, {"a.yml": "new", "b.yml": "new"})
    monkeypatch.setattr(generate.os, "fdopen", real)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.yml", "old")]
