"""The ten numbers of an answer's style: what each counts, that a new writer moves them, and where they are put."""

from __future__ import annotations

import math

import pytest

from truegreen.core.words.terms import STYLE
from truegreen.instrumentation import answer
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.style import style
from truegreen.instrumentation.testing import captured

FILL = "one two three four five six seven eight nine ten"


def _of(text):
    return dict(zip(STYLE, style(text), strict=True))


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        (f"{FILL}. {FILL}! {FILL}?", "words", 30), (f"{FILL}. {FILL}! {FILL}?", "sentences", 3), (f"{FILL}. {FILL}!", "mean sentence length", 10),
        ("It is version 3.5 of it.", "sentences", 1), ("one\ntwo\n\nthree", "sentences", 3), (f"{FILL}? {FILL}??", "question marks", 15),
        (f"- {FILL}\n* {FILL}\n  2) {FILL}\n3. {FILL}\n-no", "list items", 8.889), (f"# {FILL}\n### {FILL}\n#tag", "headings", 8.696),
        (f"```python\n{FILL}\n```\n{FILL}", "code blocks", 4.545), (f"{FILL} 12 3", "digits", 25), (f"{FILL} perhaps it might, I think.", "hedges", 20),
        ("Mayor Perhapson maybe", "hedges", 0), (f"I’m sorry, but I can help. {FILL}", "refusals", 6.25), (f"I cannot help with it. {FILL}", "refusals", 6.667),
    ],
)  # fmt: skip
def test_each_number_counts_what_its_name_says(text, name, value):
    """Things per 100 words, the first three as they are."""
    assert _of(text)[name] == pytest.approx(value, abs=0.001)


@pytest.mark.parametrize("text", ["", " \n", "...", "\ud800\udfff lone", "\x00", "é" * 10, "中文 没有 空格", "- ", "```"])
def test_any_text_has_ten_finite_numbers(text):
    """Also one that no encoding can hold."""
    numbers = style(text)
    assert len(numbers) == len(STYLE) == 10
    assert all(isinstance(n, float) and math.isfinite(n) and n >= 0 for n in numbers)


def test_sampled_answers_have_it_and_others_do_not(fake):
    """As one attribute, in the order of the reference page."""
    for rate, there in ((1.0, True), (0.0, False)):
        with captured(Settings(rate=rate)) as seen:
            with seen.provider.get_tracer("app").start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}):
                answer(query="q", answer="One sentence. Another one?")
            found = seen.spans[-1].attributes.get("truegreen.answer.style")
        assert found == ((4.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 25.0, 0.0, 0.0) if there else None)
