"""The examples of a nightly baseline: each scheduler reads its file, and each command in it is one of ours with options that it has."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from truegreen.evaluation.baselines.commands import baseline_diff, baseline_take
from truegreen.evaluation.evalsets.commands import run

FOLDER = Path(__file__).parents[2] / "examples" / "schedules"
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
COMMANDS = {"evalset run": run, "baseline take": baseline_take, "baseline diff": baseline_diff}


def asked(words):
    """The options of `truegreen GROUP VERB …`, as click reads them; raises where it would refuse them."""
    if words[0] == "sh":
        words = shlex.split(words[2].partition(" || ")[0])
    at = words.index("truegreen")
    name = " ".join(words[at + 1 : at + 3])
    with COMMANDS[name].make_context(name, words[at + 3 :]) as context:
        return name, context.params


def holds_together(found):
    """A set is asked, a day of one service is taken from somewhere with what came of it, and compared where it was put."""
    assert [name for name, _ in found] == list(COMMANDS)
    asks, take, diff = (params for _, params in found)
    assert (asks["file"], asks["out"]) == (take["evalset"], take["runs"])
    assert asks["provider"], "no evidence for a pin else"
    assert take["is_daily"]
    assert len(take["sources"]) == 2
    assert (take["out"], take["service"], take["environment"]) == (diff["place"], diff["service"], diff["environment"])
    assert diff["exit_code"]


def crontab(text):
    """The commands of a file of /etc/cron.d: five fields in their ranges, a user, a command without an unescaped %."""
    made = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#") or re.match(r"[A-Z_]+=", line):
            continue
        *fields, user, command = line.split(None, 6)
        assert len(fields) == 5
        for field, (low, high) in zip(fields, RANGES, strict=True):
            assert field == "*" or low <= int(field) <= high
        assert user.isalpha()
        assert "%" not in command.replace(r"\%", "")
        made.append(re.split(r" (?:\|\||>)", command)[0])
    return made


def test_cron_runs_the_commands():
    """At fixed times, as a user who is not root."""
    holds_together([asked(shlex.split(line)) for line in crontab((FOLDER / "cron" / "truegreen-baseline").read_text("utf-8"))])


def test_systemd_runs_the_commands_with_what_the_environment_file_says():
    """The variables of the unit are those of the file."""
    unit = (FOLDER / "systemd" / "truegreen-baseline@.service").read_text("utf-8")
    values = dict(line.split("=", 1) for line in (FOLDER / "systemd" / "handbook.env").read_text("utf-8").split())
    lines = [line.removeprefix("ExecStart=") for line in unit.splitlines() if line.startswith("ExecStart=")]
    filled = [re.sub(r"\$\{(\w+)\}", lambda name: values[name[1]], line) for line in lines]
    holds_together([asked(shlex.split(line)) for line in filled])
    timer = configparser.ConfigParser()
    timer.read_string((FOLDER / "systemd" / "truegreen-baseline@.timer").read_text("utf-8"))
    assert timer["Install"]["wantedby"] == "timers.target"


def test_systemd_itself_takes_the_units(tmp_path):
    """With a name for the service, and the environment file where the unit looks for it is not needed to verify."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not there")
    for kind in ("service", "timer"):
        shutil.copy(FOLDER / "systemd" / f"truegreen-baseline@.{kind}", tmp_path)
    units = [str(tmp_path / f"truegreen-baseline@handbook.{kind}") for kind in ("service", "timer")]
    done = subprocess.run([analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "truegreen" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_kubernetes_takes_the_manifest_and_runs_the_commands():
    """By the schemas of Kubernetes; what is taken is compared on the same volume, as nobody in particular."""
    validate = pytest.importorskip("kubernetes_validate").validate
    claim, job = yaml.safe_load_all((FOLDER / "kubernetes" / "cronjob.yaml").read_text("utf-8"))
    for one in (claim, job):
        validate(one, "1.31", strict=True)
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    containers = [*pod["initContainers"], *pod["containers"]]
    holds_together([asked(one["args"]) for one in containers])
    assert {mount["name"] for one in containers for mount in one["volumeMounts"]} == {"baselines", "evalset"}
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert all(one["securityContext"]["readOnlyRootFilesystem"] for one in containers)


def test_an_option_that_there_is_none_of_would_be_seen():
    """The tests above can fail."""
    with pytest.raises(click.NoSuchOption):
        asked(shlex.split("truegreen baseline take --nightly --service a --environment b --out c"))
