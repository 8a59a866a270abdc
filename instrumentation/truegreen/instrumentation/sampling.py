"""Which answers are evaluated: a fixed rate by a salted hash of the trace id, the same in every process."""

from __future__ import annotations

from hashlib import blake2b

BASE = "base"
BOOST = "boost"
NONE = "none"
_SPAN = 1 << 64


def chosen(trace: int, evaluation: str, rate: float) -> bool:
    """Whether an answer of this trace is in the base sample of an evaluation.

    The hash is salted with the evaluation's name: a head sampler that looks at the same bits would otherwise decide for us.

    Args:
        trace: the 128-bit trace id.
        rate: 0 to 1.
    """
    if rate >= 1:
        return True
    if rate <= 0:
        return False
    digest = blake2b(trace.to_bytes(16, "big"), digest_size=8, key=b"truegreen:" + evaluation.encode()[:54]).digest()
    return int.from_bytes(digest, "big") < rate * _SPAN


def sampled(trace: int, evaluation: str, rate: float, *, boost: float) -> str:
    """`base`, `boost` or `none`. Who is in the base sample does not depend on the boost: it adds, and SLOs do not count what it adds.

    Args:
        boost: the share of answers, 0 to 1, that is wanted now; what of it is not in the base sample is `boost`.
    """
    if chosen(trace, evaluation, rate):
        return BASE
    return BOOST if boost and chosen(trace, evaluation, boost) else NONE
