"""The world of the demo: its corpus and retriever, what the models say, and how far the evaluator tells them apart."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from truegreen.core.words.shapes import Sample
from truegreen.demo import corpus
from truegreen.demo.world import guard, provider, speech, templates, traffic
from truegreen.evaluation.baselines.baseline import quantile
from truegreen.evaluation.evaluators.groundedness import make

CORPUS = corpus.load()
INDEX = corpus.index(CORPUS.passages)


def messages(question: str, version: int = 2) -> list[Any]:
    """The messages that the agent sends."""
    passages = "\n".join(f"[{hit.passage.id}] {hit.passage.text}" for hit in corpus.retrieve(INDEX, question))
    system = templates.VERSIONS[version - 1][0].replace("{{passages}}", passages)
    return [{"role": "system", "content": system}, {"role": "user", "content": question}]


OPENED = "Can I return opened items?"


# The corpus and its retriever.


def test_every_question_has_its_passage_with_the_fact_and_a_wrong_answer_without_it() -> None:
    """45 passages, 90 questions; what is right stands in the passage and never in the provider's own knowledge."""
    passages = {p.id: p.text for p in CORPUS.passages}
    assert (len(passages), len(CORPUS.questions)) == (45, 90)
    assert all(any(corpus.is_right(q, passages[p]) for p in q.passages) for q in CORPUS.questions)
    assert all(says.endswith(".") for _, says in speech.memory().known)
    assert not any(corpus.is_right(q, says) for q, (_, says) in zip(CORPUS.questions, speech.memory().known, strict=True))
    assert not any(guard.action(text) == "block" for text in [*passages.values(), *(says for _, says in speech.memory().known)])


def test_retrieval_finds_the_right_passage_among_three_for_95_percent() -> None:
    """Scores fall and lie between 0 and 1; a question without a known word finds nothing."""
    found = {q.id: corpus.retrieve(INDEX, q.question) for q in CORPUS.questions}
    right = [q for q in CORPUS.questions if set(q.passages) & {hit.passage.id for hit in found[q.id]}]
    assert len(right) >= 0.95 * len(CORPUS.questions)
    for hits in found.values():
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)
        assert all(0 < score <= 1 for score in scores)
    assert corpus.retrieve(INDEX, "zyxw qwrt") == []
    assert corpus.retrieve(INDEX, "") == []


def test_only_the_prompts_that_say_so_are_read_as_passages_only() -> None:
    """Versions 1 and 2 bind the model to the passages, version 3 only shows them; the word in a passage changes nothing."""
    read = [speech.read(messages(OPENED, version)) for version in (1, 2, 3)]
    assert [r.obey for r in read] == [True, True, False]
    assert all(r.question == OPENED and len(r.passages) == 3 and r.passages[0].startswith("You can return") for r in read)
    sneaky = "Be kind.\n\nPassages:\nUse only the passages below.\n"
    assert not speech.read([{"role": "system", "content": sneaky}, {"role": "user", "content": "?"}]).obey


# What the models say, and how far the evaluator tells them apart.


def judged(state: provider.State, served: str, version: int, seed: int, n: int) -> list[tuple[float, bool]]:
    """Raw groundedness and truth of n answers to the stream of customers."""
    judge, made = make({}, None), []
    for wanted in islice(traffic.customers(seed), n):
        asked = messages(wanted.question.question, version)
        text = provider.answer(state, served, asked).text
        raw = judge(Sample(wanted.question.question, text, speech.read(asked).passages)).raw
        assert raw is not None
        made.append((raw, corpus.is_right(wanted.question, text)))
    return made


@pytest.mark.full
def test_the_faithful_model_is_right_and_the_careless_one_wrong_as_promised() -> None:
    """At least 95 % right; 45 to 70 % wrong; under the bad prompt nearly nothing is right, and no two models differ in latency."""
    state = provider.State(seed=7, latency=0.004, jitter=0.006)
    wrong = {}
    for name, served, version in (
        ("good", provider.FAITHFUL, 2),
        ("careless", provider.CARELESS, 2),
        ("bad prompt", provider.FAITHFUL, 3),
    ):
        made = [
            corpus.is_right(w.question, provider.answer(state, served, messages(w.question.question, version)).text)
            for w in islice(traffic.customers(5), 600)
        ]
        wrong[name] = 1 - sum(made) / len(made)
    assert wrong["good"] <= 0.05
    assert 0.45 <= wrong["careless"] <= 0.70
    assert wrong["bad prompt"] >= 0.95
    seconds = {
        served: sum(provider.answer(state, served, messages(OPENED)).seconds for _ in range(2_000)) / 2_000
        for served in (provider.FAITHFUL, provider.CARELESS)
    }
    assert abs(seconds[provider.FAITHFUL] - seconds[provider.CARELESS]) < 0.0007  # some 3 standard errors of the difference


@pytest.mark.full
def test_groundedness_separates_the_models_by_a_floor_from_600_healthy_answers() -> None:
    """Floor at the 3rd percentile: healthy again 2 to 4 %, the careless model 40 to 60 %, the bad prompt more; few ties."""
    healthy = []
    for seed in (7, 8, 9, 10):
        state = provider.State(seed, 0.0, 0.0)
        base = sorted(raw for raw, _ in judged(state, provider.FAITHFUL, 2, 1, 600))
        floor = quantile(base, 0.03)
        assert len(set(base)) > 450
        rates = [
            sum(raw < floor for raw, _ in judged(state, served, version, seed + 1, 600)) / 600
            for served, version in ((provider.FAITHFUL, 2), (provider.CARELESS, 2), (provider.FAITHFUL, 3))
        ]
        healthy.append(rates[0])
        assert 0.40 <= rates[1] <= 0.60
        assert rates[2] > 0.80
    assert 0.02 <= sum(healthy) / len(healthy) <= 0.04
    assert 0.02 <= healthy[0] <= 0.04, "the seed of the demo"


def test_equal_requests_get_equal_answers_whatever_else_is_asked_meanwhile() -> None:
    """Variety depends on seed, model, question and its count: two runs with another order give the same answers."""
    order = [q.question for q in CORPUS.questions[:6]] * 4
    runs = []
    for questions in (order, order[::-1]):
        state = provider.State(3, 0.0, 0.0)
        runs.append(sorted(provider.answer(state, provider.FAITHFUL, messages(q)).text for q in questions))
    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 12


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Within 30 days.", "allow"),
        ("Write to help.desk@shop.example.org please.", "block"),
        ("Card 4111 1111 1111 1111 is on file.", "block"),
        ("Order 4111 1111 1111 1112 is on its way.", "allow"),
    ],
)
def test_the_guardrail_blocks_addresses_and_card_numbers_only(answer: str, expected: str) -> None:
    """A number of card length that fails the check sum is not a card's."""
    assert guard.action(answer) == expected
