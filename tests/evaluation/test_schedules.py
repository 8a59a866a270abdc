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

FOLDER = Path(__file__).parents[2] / "examples" / "schedules"
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
COMMANDS = {"take": baseline_take, "diff": baseline_diff}


def asked(words):
    """The options of `truegreen baseline VERB …`, as click reads them; raises where it would refuse them."""
    at = words.index("baseline")
    assert words[at - 1] == "truegreen"
    arguments = words[at + 2 :]
    with COMMANDS[words[at + 1]].make_context(words[at + 1], arguments) as context:
        return words[at + 1], context.params


def holds_together(found):
    """A day of one service is taken from somewhere, and compared where it was put."""
    assert [verb for verb, _ in found] == ["take", "diff"]
    take, diff = (params for _, params in found)
    assert take["is_daily"]
    assert len(take["sources"]) == 2
    assert (take["out"], take["service"], take["environment"]) == (diff["place"], diff["service"], diff["environment"])
    assert diff["exit_code"]


def crontab(text):
    """The commands of a file of /etc/cron.d: five fields in their ranges, a user, a command without an unescaped %."""
    made = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#") or re.match(r"[A-Z]+=", line):
            continue
        *fields, user, command = line.split(None, 6)
        assert len(fields) == 5
        for field, (low, high) in zip(fields, RANGES, strict=True):
            assert field == "*" or low <= int(field) <= high
        assert user.isalpha()
        assert "%" not in command.replace(r"\%", "")
        made.append(re.split(r" (?:\|\||>)", command)[0])
    return made


def test_cron_runs_both_commands():
    """At fixed times, as a user who is not root."""
    holds_together([asked(shlex.split(line)) for line in crontab((FOLDER / "cron" / "truegreen-baseline").read_text("utf-8"))])


def test_systemd_runs_both_commands_with_what_the_environment_file_says():
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


def test_kubernetes_takes_the_manifest_and_runs_both_commands():
    """By the schemas of Kubernetes; what is taken is compared on the same volume, as nobody in particular."""
    validate = pytest.importorskip("kubernetes_validate").validate
    claim, job = yaml.safe_load_all((FOLDER / "kubernetes" / "cronjob.yaml").read_text("utf-8"))
    for one in (claim, job):
        validate(one, "1.31", strict=True)
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    containers = [*pod["initContainers"], *pod["containers"]]
    holds_together([asked(one["args"]) for one in containers])
    assert {mount["name"] for one in containers for mount in one["volumeMounts"]} == {"baselines"}
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert all(one["securityContext"]["readOnlyRootFilesystem"] for one in containers)


def test_an_option_that_there_is_none_of_would_be_seen():
    """The tests above can fail."""
    with pytest.raises(click.NoSuchOption):
        asked(shlex.split("truegreen baseline take --nightly --service a --environment b --out c"))
