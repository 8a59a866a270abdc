"""What a check is given, and what it finds. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from truegreen.core.clients.http import Server
from truegreen.core.config.model import Config

SECONDS: Final = 3.0
"""For one answer."""
OK: Final = "ok"
WRONG: Final = "wrong"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Env:
    """What the doctor looks at.

    Args:
        environ: of the shell that asks: who checks an application runs the doctor in the application's environment.
        flags: the flag file.
        clock: this machine's, unix seconds.
        time_scale: what every window was divided by, 1 in production.
    """

    config: Config
    environ: Mapping[str, str]
    prometheus: Server
    flags: Path
    clock: Callable[[], float]
    time_scale: int = 1

    def soon(self) -> Server:
        """Prometheus, asked once and not waited for: a doctor that hangs helps nobody."""
        return replace(self.prometheus, timeout=SECONDS, tries=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says: `state` is ok, wrong or unknown; `fix` is a command or a line of configuration, empty where all is well."""

    name: str
    state: str
    says: str
    fix: str = ""
