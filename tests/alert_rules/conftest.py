"""Configurations to generate from, and what promtool says of the result."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from truegreen.alert_rules.generate import files
from truegreen.core.config import Config, parse_text
from truegreen.core.words.calibration import Calibration, file_name, to_text
from truegreen.core.words.ready_made import BY_NAME
from truegreen.core.words.slo import EvaluationSli

Write = Callable[..., Path]


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Config]:
    """`config(yaml)`: read as if from truegreen.yaml in an empty folder."""

    def read(text: str = "") -> Config:
        path = tmp_path / "truegreen.yaml"
        path.write_text(text, "utf-8")
        return parse_text(text, str(path), {}, path)

    return read


@pytest.fixture
def calibrate(tmp_path: Path) -> Callable[..., Calibration]:
    """`calibrate(service, environment, signal, bad_ratio, answers, design_effect, taken, scale)` freezes a baseline beside the configuration."""

    def freeze(
        service: str,
        environment: str,
        signal: str,
        bad_ratio: float,
        answers: int,
        design_effect: float = 1.0,
        taken: str = "2026-11-01T00:00:00Z",
        scale: str = "relative",
    ) -> Calibration:
        slo = BY_NAME.get(signal)
        evaluator = "lexical" if slo is None or isinstance(slo.sli, EvaluationSli) else slo.sli.metric
        made = Calibration(
            service, environment, signal, evaluator, scale, 0.2, tuple(i / 100 for i in range(101)), bad_ratio, design_effect, answers, taken
        )  # fmt: skip
        folder = tmp_path / "calibration"
        folder.mkdir(exist_ok=True)
        (folder / file_name(service, environment, signal)).write_text(to_text(made), "utf-8")
        return made

    return freeze


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """`written(config, time_scale)` is a folder with the generated files."""

    def write(config: Config, time_scale: int = 1) -> Path:
        folder = tmp_path / f"out{time_scale}"
        folder.mkdir(exist_ok=True)
        for name, text in files(config, time_scale).files.items():
            (folder / name).write_text(text, "utf-8")
        return folder

    return write


@pytest.fixture
def promtool(engine: Callable[[str], Path]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`promtool("test", "rules", path)`: its exit code and output."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [engine("promtool"), *map(str, arguments)], capture_output=True, text=True, timeout=550, check=False
        )

    return run


@pytest.fixture
def part(promtool: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., list[str]]:
    """`part(folder, file, rules, checks)`: generated rules and checks whose text matches, run alone: the checks, after they passed."""

    def run(folder: Path, file: str, rules: str, checks: str) -> list[str]:
        groups = yaml.safe_load((folder / "truegreen.rules.yml").read_text("utf-8"))["groups"]
        for group in groups:
            group["rules"] = [rule for rule in group["rules"] if re.fullmatch(rules, rule.get("record") or rule["alert"])]
        kept = [group for group in groups if group["rules"]]
        whole = yaml.safe_load((folder / file).read_text("utf-8"))
        for test in whole["tests"]:
            test["promql_expr_test"] = [case for case in test["promql_expr_test"] if re.search(checks, case["expr"])]
        whole |= {"rule_files": ["part.yml"], "group_eval_order": [group["name"] for group in kept]}
        whole["tests"] = [test for test in whole["tests"] if test["promql_expr_test"]]
        (folder / "part.yml").write_text(yaml.safe_dump({"groups": kept}), "utf-8")
        (folder / "part.test.yml").write_text(yaml.safe_dump(whole), "utf-8")
        done = promtool("test", "rules", folder / "part.test.yml")
        assert done.returncode == 0, done.stdout + done.stderr
        return [case["expr"] for test in whole["tests"] for case in test["promql_expr_test"]]

    return run


@pytest.fixture
def amtool(engine: Callable[[str], Path]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`amtool("check-config", path)`: its exit code and output."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([engine("amtool"), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)

    return run
