"""What a provider announced, as the collector shows it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

from collector_process import Running

from truegreen.evaluation.provider import store
from truegreen.evaluation.provider.model import Entry

Start = Callable[..., Running]


def entry(number: int, time: float, *models: str, retires: float | None = None) -> Entry:
    """An entry of `openai`."""
    return Entry(f"{number:012x}", "openai", "change", "news", "", time, models, retires)


def test_dates_of_announcements_and_of_ends_are_shown_and_follow_the_file(start: Start, tmp_path: Path) -> None:
    """No file yet is no error; the newest entry of a model counts; a broken file leaves what was shown and is named."""
    path = tmp_path / "changes.json"
    collector = start("--provider-changes", str(path))

    def shown() -> set[str]:
        lines = collector.get("/metrics")[1].splitlines()
        return {line.removeprefix("truegreen_provider_") for line in lines if line.startswith("truegreen_provider_")}

    assert shown() == set()
    store.merge(path, [entry(1, 1_000, "m"), entry(2, 2_000, "m", "n", retires=9_000), entry(3, 3_000)], 0)
    first = {
        'change_timestamp_seconds{provider="openai",model="m"} 2000', 'change_timestamp_seconds{provider="openai",model="n"} 2000',
        'change_timestamp_seconds{provider="openai",model="unnamed"} 3000',
        'deprecation_timestamp_seconds{provider="openai",model="m"} 9000', 'deprecation_timestamp_seconds{provider="openai",model="n"} 9000',
    }  # fmt: skip
    assert shown() == first
    whole = path.read_text()
    path.write_text("{")
    os.utime(path, (1, 1))
    assert shown() == first
    rows = json.loads(whole)
    rows["entries"] = [row for row in rows["entries"] if row["retires"] is None]
    path.write_text(json.dumps(rows))
    os.utime(path, (2, 2))
    assert shown() == {
        'change_timestamp_seconds{provider="openai",model="m"} 1000',
        'change_timestamp_seconds{provider="openai",model="unnamed"} 3000',
    }
    collector.process.send_signal(signal.SIGTERM)
    assert "changes of the provider ignored" in collector.process.communicate(timeout=20)[1]
