"""The fingerprint of what an index returns: still while the corpus is, another one when a chunk size or a metadata key changes."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truegreen.instrumentation import corpus, retrieval
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import captured

WINDOW = corpus.WINDOW


def document(length, metadata):
    return {"text": "x" * max(0, round(length)), "metadata": metadata}


def fingerprints(hits, index="kb", known=None):
    """The fingerprint after each whole window of documents."""
    known = known or corpus.Corpora()
    found = [known.fingerprint(index, [hit["text"]], [hit]) for hit in hits]
    return found[WINDOW - 1 :: WINDOW]


@settings(max_examples=25)
@given(
    st.integers(0, 2**32),
    st.floats(5, 3_000),
    st.floats(0, 1.2),
    st.lists(st.floats(0, 1), max_size=6),
    st.integers(2, 500),
)
def test_a_corpus_that_stays_the_same_keeps_its_fingerprint(seed, median, spread, shares, documents):
    """Whatever its lengths and whichever keys only some of it has; popular documents come back again and again."""
    draw = random.Random(seed)
    stored = [
        document(
            median * math.exp(draw.gauss(0, spread)), {f"k{i}": i for i, share in enumerate(shares) if draw.random() < share}
        )
        for _ in range(documents)
    ]
    popular = [1 / rank for rank in range(1, documents + 1)]
    got = fingerprints(draw.choices(stored, popular, k=12 * WINDOW))
    assert "" not in got
    # The first window decides by a tenth; a share just under it may be found at a fifth once in a corpus's life, and never back.
    assert sum(a != b for a, b in zip(got, got[1:], strict=False)) == 0


CHUNK = {"source": "a.md", "page": 3, "section": None}


@pytest.mark.parametrize(
    ("after", "differs"),
    [
        (document(1_000, CHUNK), "512/"),
        (document(0, CHUNK), "0/"),
        (document(300, {**CHUNK, "url": "https://x"}), "/3:"),
        (document(300, {"source": "a.md"}), "/1:"),
        (document(300, {"src": "a.md", "page": 3}), "/2:"),
        (document(300, {"source": "a.md", "page": "3"}), "/2:"),
    ],
    ids=["chunk size", "empty chunks", "key added", "key removed", "key renamed", "type changed"],
)
def test_an_upstream_change_shows_after_two_windows_and_is_said(after, differs, caplog):
    """And stays; half a window of it does not count."""
    known = corpus.Corpora()
    before = fingerprints([document(300, CHUNK)] * WINDOW * 3, known=known)
    assert before == [before[0]] * 3
    assert before[0].startswith("256/2:")
    got = fingerprints([after] * WINDOW * 4, known=known)
    assert got[0] == before[0]
    assert got[1] == got[2] == got[3] != before[0]
    assert differs in got[1]
    assert caplog.text.count("retrieval index kb: what it returns has changed:") == 1


def test_it_is_the_same_in_every_process_for_a_uniform_corpus():
    """Pinned: no seed of Python's hashes and no order of keys is in it."""
    one = fingerprints([document(300, {"source": "a", "page": 1})] * WINDOW)[0]
    other = fingerprints([document(400, {"page": 7, "source": "b"})] * WINDOW)[0]
    assert one == other == "256/2:98133105"


def test_the_metadata_of_every_client_is_found():
    """LangChain, Qdrant, Weaviate, Pinecone, plain mappings, pairs with a score; names and kinds only."""
    kinds = {("key", "source:string"), ("key", "page:number"), ("length", "4")}
    values = {"source": "ZEBRA", "page": 1}
    for hit in (
        SimpleNamespace(page_content="text", metadata=values),
        SimpleNamespace(payload=values),
        SimpleNamespace(properties=values),
        {"text": "text", "metadata": values},
        {"text": "text", "score": 0.5, "id": "1", **values},
        (SimpleNamespace(page_content="text", metadata=values), 0.7),
    ):
        assert set(corpus.features("text", hit)) == kinds
    assert corpus.features("text", "text") == (("length", "4"),)


def test_it_lands_on_retrieval_spans_once_it_is_known():
    """Through the public call; no text and no value goes with it."""
    with captured(settings=Settings(fallback=False)) as seen:
        hits = [{"text": "ZEBRA passage", "metadata": {"source": "ZEBRA source"}}] * 8
        for _ in range(WINDOW // 8):
            retrieval(documents=hits, data_source="kb")
        got = [span.attributes.get("truegreen.retrieval.index.fingerprint") for span in seen.spans]
    assert got[:-1] == [None] * (WINDOW // 8 - 1)
    assert got[-1].startswith("8/1:")
    assert not any("ZEBRA" in str(span.attributes) for span in seen.spans)


def test_it_is_bounded():
    """Indexes, and keys that are data."""
    known = corpus.Corpora()
    for n in range(corpus.INDEXES + 20):
        known.fingerprint(f"kb{n}", ["t"], [{"metadata": {f"key{n}": 1}}])
    assert len(known._known) == corpus.INDEXES
    for n in range(WINDOW - 1):
        known.fingerprint("kb", ["t"], [{"metadata": {f"key {n} {i}": 1 for i in range(300)}}])
    assert len(known._known["kb"]._counts) <= corpus.KEYS
