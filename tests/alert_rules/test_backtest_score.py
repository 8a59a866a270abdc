"""What a backtest makes of episodes and labels, and what it draws."""

import xml.dom.minidom
from dataclasses import replace
from decimal import Decimal

import pytest

from truegreen.alert_rules import backtest_page as page
from truegreen.alert_rules.backtest_inputs import Incident
from truegreen.alert_rules.backtest_picture import Panel, picture
from truegreen.alert_rules.backtest_score import Score, TierScore, Trial, tier_score
from truegreen.core.clients.prometheus import Series

HOUR = 3600
TIER = TierScore("fast", "1", (), (), ())


def score(**changes):
    made = Score(
        "grounding", "shop", "production", "shadow", 1000.0, 20.0, 30.0, Decimal("0.05"), (Incident(0, HOUR),), replace(TIER, delays=(600,)), (TIER,), ()
    )  # fmt: skip
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("spans", "false", "delays"),
    [
        ([(10 * HOUR + 600, 11 * HOUR)], 0, (600,)),
        ([(9 * HOUR, 11 * HOUR)], 0, (0,)),  # fires already when it begins
        ([(12 * HOUR + 890, 13 * HOUR)], 0, (2 * HOUR + 890,)),  # the short window still holds its last events
        ([(12 * HOUR + 910, 13 * HOUR)], 1, (None,)),
        ([(8 * HOUR, 10 * HOUR)], 1, (None,)),  # over when it begins
        ([(2 * HOUR, 3 * HOUR), (3 * HOUR + 600, 4 * HOUR), (20 * HOUR, 21 * HOUR), (11 * HOUR, 12 * HOUR)], 2, (HOUR,)),
        ([], 0, (None,)),
    ],
)
def test_a_page_is_false_when_no_incident_explains_it(spans, false, delays):
    """An incident from 10 to 12 h, and a tier whose short window is a quarter of an hour."""
    made = tier_score("fast", "1", spans, [Incident(10 * HOUR, 12 * HOUR)], 900)
    assert (len(made.false), made.delays) == (false, delays)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {},
            "1 of 1 incidents paged, 0 false pages in 30 days (at most 3 in 30 days with 95 % confidence): go live with: mode: live.",
        ),
        ({"mode": "live"}, "it is live; keep it."),
        ({"days": 2.0}, "nothing speaks against mode: live; to be sure, backtest over 7 days and more."),
        ({"incidents": (), "page": TIER}, "to be sure, backtest over a time in which something was wrong."),
        ({"incidents": None, "page": TIER}, "silent for 30 days (at most 3 pages in 30 days with 95 % confidence)"),
        (
            {"incidents": None, "page": replace(TIER, episodes=((0, 60),)), "days": 15.0},
            "1 pages in 15 days (2 in 30 days): were they right?",
        ),
        ({"budget": None}, "it has no budget"),
        (
            {
                "page": replace(TIER, false=((0, 60), (9, 10)), delays=(None,)),
                "trials": (Trial(Decimal("0.9"), 1, 0, 1), Trial(Decimal("0.95"), 1, 0, 1), Trial(Decimal("0.99"), 3, 2, 1)),
            },
            "0 of 1 incidents paged, 2 false pages in 30 days (2 in 30 days): write objective: 95%, which gives 0 false pages here and 1 of 1",
        ),
        (
            {"page": replace(TIER, false=((0, 60),), delays=(5,)), "trials": (Trial(Decimal("0.9"), 1, 1, 1),)},
            "stay in shadow; no objective from 90% to 90% does better here.",
        ),
    ],
)
def test_the_verdict_is_one_sentence_that_ends_in_what_to_write(changes, says):
    """For each way in which it can end."""
    assert says in page.verdict(score(**changes))


def test_a_name_does_not_steer_a_terminal():
    """Names come from spans."""
    told = "\n".join(page.lines([score(service="a\x1b[2Jb\nc", tiers=())], [], [], [], []))
    assert "grounding of a�[2Jb�c in production" in told
    assert page.rate(240.0) == "240"


def test_a_picture_is_the_same_bytes_and_holds_no_markup_of_a_name():
    """Names come from spans: they are escaped; a gap in the data is a gap in the line; nothing is drawn of what is not a number."""
    evil = score(service='<script>alert("x")</script>&\x07', events=5.0)
    points = tuple((60.0 * m, 0.02) for m in (*range(100), *range(400, 500))) + ((30_000.0, float("nan")),)
    panels = [Panel(evil, Series({}, points), None), Panel(score(budget=None, incidents=None), None, None)]
    drawn = picture(panels, 0.0, 43_200.0)
    assert drawn == picture(panels, 0.0, 43_200.0)
    assert "<script" not in drawn
    root = xml.dom.minidom.parseString(drawn).documentElement
    lines = [p.getAttribute("d") for p in root.getElementsByTagName("path") if p.getAttribute("class") == "r15m"]
    assert [line.count("M") for line in lines] == [2]
    assert "nan" not in drawn
    assert "no budget" in drawn
    xml.dom.minidom.parseString(picture([], 0.0, 1.0))
