"""What a judge may spend in a day (UTC): calls, tokens, money. In memory, or in a file that processes of one machine share."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.instrumentation.locks import Lock

LIMITS: Final = ("calls", "tokens", "money")
PER: Final = 1_000_000
"""Prices are for so many tokens."""
LONGEST: Final = 10_000
"""Bytes of the file that are read."""


@dataclass(slots=True)
class Spent:
    """What went out on `day`, in UTC; `money` is in the currency of the prices."""

    day: str = ""
    calls: float = 0
    tokens: float = 0
    money: float = 0.0

    def add(self, other: Spent) -> None:
        """Add to this; it stays at least 0, also where what was set aside before midnight is put right after it."""
        self.calls = max(0, self.calls + other.calls)
        self.tokens = max(0, self.tokens + other.tokens)
        self.money = max(0.0, self.money + other.money)


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of a day and the prices of a million tokens; a limit that is not there is none.

    Args:
        file: where it is kept over a restart and shared with other processes of this machine; None keeps it in this process.
    """

    limits: Mapping[str, float] = field(default_factory=dict)
    input_price: float = 0.0
    output_price: float = 0.0
    file: Path | None = None
    clock: Callable[[], float] = time.time
    spent: Spent = field(default_factory=Spent)
    lock: Lock = field(default_factory=Lock)

    def cost(self, tokens_in: int, tokens_out: int) -> Spent:
        """One call of so many tokens."""
        money = (tokens_in * self.input_price + tokens_out * self.output_price) / PER
        return Spent(calls=1, tokens=tokens_in + tokens_out, money=money)

    def take(self, wanted: Spent) -> bool:
        """Set aside what a call will cost at most; False, and nothing is, where a limit would be passed."""
        with self._kept() as spent:
            if any(getattr(spent, name) + getattr(wanted, name) > limit for name, limit in self.limits.items()):
                return False
            spent.add(wanted)
            return True

    def settle(self, wanted: Spent, real: Spent) -> None:
        """Put what a call really cost in the place of what was set aside; the call itself stays counted."""
        with self._kept() as spent:
            spent.add(Spent(tokens=real.tokens - wanted.tokens, money=real.money - wanted.money))

    @contextmanager
    def _kept(self) -> Iterator[Spent]:
        today = datetime.fromtimestamp(self.clock(), UTC).date().isoformat()
        with self.lock, self._shared() as spent:
            if spent.day != today:
                spent.day, spent.calls, spent.tokens, spent.money = today, 0, 0, 0.0
            yield spent

    @contextmanager
    def _shared(self) -> Iterator[Spent]:
        if self.file is None:
            yield self.spent
            return
        try:
            with _locked(self.file) as handle:
                spent = _read(os.pread(handle, LONGEST, 0), self.file)
                yield spent
                text = (json.dumps(asdict(spent)) + "\n").encode()
                os.pwrite(handle, text, 0)
                os.ftruncate(handle, len(text))
        except OSError as error:
            raise BadInput(
                f"budget.file: {self.file} cannot be used ({error.strerror or type(error).__name__}); "
                "write the path of a file in a folder that is there and that this process may write to"
            ) from None


@contextmanager
def _locked(file: Path) -> Iterator[int]:
    import fcntl

    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)  # the lock goes with it


def budget(settings: Mapping[str, Any], clock: Callable[[], float] = time.time) -> Budget:
    """The budget of a judge, from its settings.

    Args:
        settings: `budget`, with `calls`, `tokens` and `money` a day and `file`; `price`, with `input` and `output` for a million tokens.

    Raises:
        BadInput: a limit or a price is no number of at least 0, a name is unknown, or `money` is limited and no price is known.
    """
    limits, price = _mapping(settings, "budget", (*LIMITS, "file")), _mapping(settings, "price", ("input", "output"))
    file = limits.pop("file", None)
    if file is not None and not (isinstance(file, str) and file):
        raise BadInput(f"budget.file: found {file!r:.60}, write a path such as /var/lib/support-agent/judge-budget.json")
    for name, value in (*((f"budget.{key}", v) for key, v in limits.items()), *((f"price.{key}", v) for key, v in price.items())):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise BadInput(f"{name}: found {value!r:.60}, write a number of at least 0")
    if "money" in limits and not any(price.values()):
        raise BadInput("budget.money: no price is known; write price: {input: 0.15, output: 0.6}, for a million tokens")
    return Budget(limits, price.get("input", 0.0), price.get("output", 0.0), Path(file) if file else None, clock)


def _mapping(settings: Mapping[str, Any], key: str, known: tuple[str, ...]) -> dict[str, Any]:
    given = settings.get(key) or {}
    if not isinstance(given, Mapping) or (unknown := next((name for name in given if name not in known), None)) is not None:
        found = f"{given!r:.60}" if not isinstance(given, Mapping) else f"the key {unknown!r}"
        raise BadInput(f"{key}: found {found}, write a mapping of {', '.join(known)}")
    return dict(given)


def _read(text: bytes, file: Path) -> Spent:
    if not text.strip():
        return Spent()
    try:
        data = json.loads(text)
        spent = Spent(str(data["day"]), *(float(data[name]) for name in LIMITS))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        spent = Spent(money=math.nan)
    # NaN passes no limit, and what is under 0 would be spent.
    if not all(math.isfinite(number) and number >= 0 for number in (spent.calls, spent.tokens, spent.money)):
        raise BadInput(f"budget.file: {file} is not a budget of a judge; name another file, or remove it")
    return spent
