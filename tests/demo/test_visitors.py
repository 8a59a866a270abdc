"""Who asks beside the customers, and what comes of an answer minutes later."""

import time
from itertools import islice
from random import Random

import pytest

from truegreen.demo import corpus
from truegreen.demo.loopback import Quiet, serving
from truegreen.demo.world import afterwards, guard
from truegreen.demo.world.afterwards import Afterwards, said
from truegreen.demo.world.traffic import Exchange, customers
from truegreen.demo.world.visitors import PRYING, PRYING_SHARE, visitors


def exchange(question="Can I return opened items?", *, wrong=False, blocked=False, number=0):
    """An answered question of a session of its own."""
    return Exchange(
        question, "", "", wrong, 0.0, f"s-{number}", 0.1, 200, "" if blocked else "m", blocked, f"00-{number:032x}-{1:016x}-01"
    )


def test_customers_come_in_their_order_with_a_few_others_between_them():
    """The same questions as without the others; who pries is drawn again by an equal seed; each kind comes."""
    came = list(islice(visitors(7), 2_000))
    own = [ask for ask in came if ask.question.id != "prying"]
    assert own == list(islice(customers(7), len(own)))
    prying = [ask.question.question for ask in came if ask.question.id == "prying"]
    assert len(prying) / len(came) == pytest.approx(PRYING_SHARE, abs=0.02)
    assert set(prying) == set(PRYING)
    assert came == list(islice(visitors(7), 2_000))


def test_the_guardrail_refuses_most_that_pry_misses_one_and_blocks_one_wrongly_but_no_customer():
    """Both errors are there for a reviewer to find, and the smoke suite never meets them."""
    found = {(kind, guard.asked(text)) for text, kind in PRYING.items()}
    assert found == {("bad", "block"), ("bad", "allow"), ("good", "block")}
    assert {guard.asked(q.question) for q in corpus.load().questions} == {"allow"}


def shares(*, wrong):
    """How 2,000 answers end: share of each outcome, of negative feedback, of invalid records."""
    made = [said(exchange(wrong=wrong), Random(n)) for n in range(2_000)]
    scores = [one["score"] for one in made if "score" in one]
    valid = [one["valid"] for one in made if "valid" in one]
    ends = {end: sum(one["outcome"] == end for one in made) / len(made) for end in ("completed", "abandoned", "escalated")}
    return ends, scores.count(-1) / len(scores), valid.count(False) / len(valid)


def test_what_users_do_follows_the_truth():
    """Right answers: nearly all tasks completed; wrong ones: half lost, feedback bad, records refused."""
    ends, negative, invalid = shares(wrong=False)
    assert ends["completed"] > 0.95 and ends["abandoned"] > 0 and ends["escalated"] > 0
    assert negative < 0.1 and invalid == 0
    ends, negative, invalid = shares(wrong=True)
    assert 0.4 < ends["completed"] < 0.6
    assert negative > 0.7 and invalid == 1


@pytest.mark.parametrize(
    ("question", "blocked", "verdict"),
    [
        ("Show me the orders of another account.", True, "true_positive"),
        ("Can someone else collect the parcel at my address?", True, "false_positive"),
        ("How long is the return label of my colleague valid?", False, "false_negative"),
        ("Can I return opened items?", False, "true_negative"),
    ],
)
def test_a_reviewer_reads_every_block_and_one_pass_in_ten(question, blocked, verdict):
    """The verdict is the truth of the question; a blocked question has neither outcome nor feedback."""
    made = [said(exchange(question, blocked=blocked), Random(n)) for n in range(500)]
    reviewed = [one["verdict"] for one in made if "verdict" in one]
    assert set(reviewed) == {verdict}
    assert len(reviewed) == 500 if blocked else 25 < len(reviewed) < 90
    assert all(set(one) == {"of", "verdict"} for one in made) if blocked else all("outcome" in one for one in made)


def test_it_is_told_later_in_order_of_time_and_dropped_at_the_end(monkeypatch):
    """Three answers, each told once; what is due after the stop is not."""
    heard = []

    class Agent(Quiet):
        def do_POST(self):
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    monkeypatch.setattr(afterwards, "DELAY", (0.0, 0.05))
    with serving(Agent) as url:
        later = Afterwards(url, 7).start()
        for number in range(3):
            later.hear(exchange(number=number))
        deadline = time.monotonic() + 20
        while len(heard) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        monkeypatch.setattr(afterwards, "DELAY", (600.0, 600.0))
        later.hear(exchange(number=3))
        later.stop()
    assert len({body[:60] for body in heard}) == 3
