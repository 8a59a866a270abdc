"""Raw scores for a baseline: from the collector's `/scores`, or by judging a replay file here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from truegreen.core.errors import BadInput, Failed
from truegreen.core.words.shapes import Judge, ReplayRecord, Sample

_TIMEOUT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What is left of a recorded call once it is judged: no text.

    Args:
        raw: None when it was skipped, for the reason in `skipped`.
        wrong: the human label, None when unlabelled.
        session: empty when unknown.
        evaluator: who judged; empty when it did not say.
    """

    model: str
    raw: float | None
    skipped: str = ""
    wrong: bool | None = None
    session: str = ""
    evaluator: str = ""


@dataclass(frozen=True, slots=True)
class Scores:
    """Raw scores of one collector: `sessions` is one hashed id per score, or empty; `seen` is how many answers they were kept from."""

    values: tuple[float, ...]
    sessions: tuple[str, ...]
    evaluator: str
    snapshot: str
    seen: int


def judged(records: Iterable[ReplayRecord], judge: Judge) -> Iterator[Judged]:
    """Judge recorded calls one by one."""
    for record in records:
        result = judge(Sample(record.query, record.answer, record.context, record.model))
        skipped = "" if result.raw is not None else result.skipped
        session = str(record.extra.get("session", ""))
        yield Judged(record.model, result.raw, skipped, record.wrong, session, result.evaluator)


def address(url: str, service: str, environment: str, evaluation: str) -> str:
    """The full address of a collector's scores, from its base address or from one that ends in `/scores`.

    Raises:
        BadInput: not an address.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise BadInput(f"--from: found {url!r}, write an address such as http://127.0.0.1:9465") from None
    path = parts.path.rstrip("/")
    query = urlencode({"service": service, "environment": environment, "evaluation": evaluation})
    return urlunsplit((parts.scheme, parts.netloc, path if path.endswith("/scores") else f"{path}/scores", query, ""))


def fetch(url: str) -> Scores:
    """Ask a collector for its scores.

    Args:
        url: as made by `address`.

    Raises:
        Failed: it cannot be reached, refuses, or answers with something else.
    """
    import httpx

    try:
        answer = httpx.get(url, timeout=_TIMEOUT_SECONDS)
        answer.raise_for_status()
        return parse(answer.json(), url)
    except httpx.HTTPStatusError as error:
        raise Failed(f"{url}: the collector answers {error.response.status_code}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Failed(f"{url}: no collector answers there ({error}); is `truegreen collect` running?") from None
    except ValueError:
        raise Failed(f"{url}: the answer is not JSON; is it a truegreen collector?") from None


def parse(data: Any, url: str) -> Scores:
    """Read what `/scores` answered.

    Raises:
        Failed: a key is missing or of another kind.
    """
    values = data.get("scores") if isinstance(data, dict) else None
    if not isinstance(values, list) or not all(_is_number(value) for value in values):
        raise Failed(f"{url}: scores: expected a list of finite numbers; is it a truegreen collector of the same version?")
    sessions = data.get("sessions") or []
    if not isinstance(sessions, list) or len(sessions) not in (0, len(values)):
        raise Failed(f"{url}: sessions: expected one for each of the {len(values)} scores, or none")
    seen = data.get("seen")
    return Scores(
        values=tuple(float(value) for value in values),
        sessions=tuple(str(session) for session in sessions),
        evaluator=str(data.get("evaluator") or ""),
        snapshot=str(data.get("snapshot") or ""),
        seen=seen if isinstance(seen, int) else len(values),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
