"""What a backtest makes of episodes and labels, and what it draws."""

import xml.dom.minidom
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from truegreen.alert_rules import backtest_page as page
from truegreen.alert_rules import budgets
from truegreen.alert_rules.backtest_alerts import Fired
from truegreen.alert_rules.backtest_inputs import Incident
from truegreen.alert_rules.backtest_picture import Panel, picture
from truegreen.alert_rules.backtest_score import Score, TierScore, Trial, scores, tier_score
from truegreen.alert_rules.ladder import TIERS
from truegreen.core.clients.prometheus import Series
from truegreen.core.words import records

HOUR = 3600
TIER = TierScore("fast", "1", (), (), ())


def score(**changes):
    made = Score(
        "grounding", "shop", "production", "shadow", 1000.0, 20.0, 30.0, Decimal("0.05"), (Incident(0, HOUR),), replace(TIER, delays=(600,)), (TIER,), (), 30.0
    )  # fmt: skip
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("spans", "false", "delays"),
    [
        ([(10 * HOUR + 600, 11 * HOUR)], 0, (600,)),
        ([(9 * HOUR + 3000, 11 * HOUR)], 0, (0,)),  # fires already when it begins
        ([(9 * HOUR, 11 * HOUR)], 1, (0,)),  # and did so long before
        ([(11 * HOUR, 13 * HOUR + 2400)], 0, (HOUR,)),  # held beyond it, as the tier holds, and for less than an hour more
        ([(11 * HOUR, 14 * HOUR)], 1, (HOUR,)),
        ([(0, 40 * HOUR)], 2, (0,)),  # an alert without an end explains nothing
        ([(12 * HOUR + 890, 12 * HOUR + 2400)], 0, (2 * HOUR + 890,)),  # the short window still holds its last events
        ([(12 * HOUR + 910, 13 * HOUR)], 1, (None,)),
        ([(8 * HOUR, 10 * HOUR)], 1, (None,)),  # over when it begins
        ([(2 * HOUR, 3 * HOUR), (3 * HOUR + 600, 4 * HOUR), (20 * HOUR, 21 * HOUR), (11 * HOUR, 12 * HOUR)], 2, (HOUR,)),
        ([], 0, (None,)),
    ],
)
def test_a_page_is_false_when_no_incident_explains_it(spans, false, delays):
    """An incident from 10 to 12 h, and a tier whose short window is a quarter of an hour."""
    made = tier_score("fast", "1", spans, [Incident(10 * HOUR, 12 * HOUR)], TIERS[:1])
    assert (len(made.false), made.delays) == (false, delays)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {},
            "1 of 1 incident paged, 0 false pages in 30 days (at most 3 in 30 days with 95 % confidence): go live with: mode: live.",
        ),
        ({"mode": "live"}, "it is live; keep it."),
        ({"days": 2.0}, "too short a time to go live on; backtest over 7 days and more in which it had events."),
        ({"incidents": (), "page": TIER, "days": 6.9}, "too short a time to go live on"),
        ({"incidents": (), "page": TIER}, "to be sure, backtest over a time in which something was wrong."),
        ({"incidents": None, "page": TIER}, "silent for 30 days (at most 3 pages in 30 days with 95 % confidence)"),
        (
            {"incidents": None, "page": replace(TIER, episodes=((0, 60),)), "days": 15.0},
            "1 page in 15 days (2 in 30 days; it fired 1 min): was it right?",
        ),
        ({"budget": None}, "it has no budget"),
        (
            {
                "page": replace(TIER, false=((0, 60), (9, 10)), delays=(None,)),
                "trials": (Trial(Decimal("0.9"), 1, 0, 1), Trial(Decimal("0.95"), 1, 0, 1), Trial(Decimal("0.99"), 3, 2, 1)),
            },
            "0 of 1 incident paged, 2 false pages in 30 days (2 in 30 days; it fired 1 min outside incidents): write objective: 95%, which gives 0 false pages here and 1 of 1",
        ),
        (
            {
                "page": replace(TIER, false=((0, 60), (9, 10)), delays=(5,)),
                "trials": (
                    Trial(Decimal("0.9"), 0, 0, 0),
                    Trial(Decimal("0.95"), 2, 1, 1),
                    Trial(Decimal("0.999"), 1, 0, 1, fit=False),
                ),
            },
            "write objective: 95%, which gives 1 false page here and 1 of 1 incident paged",  # never one that pages fewer, or for ever
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


def _series(rows, wrong):
    who = {"service": "shop", "environment": "production"}
    return [Series(who, tuple((float(t), n[wrong]) for t, n in rows))]


def test_an_objective_under_what_a_healthy_time_spends_is_not_offered(config):
    """Four incidents in ten days of which three had events; a healthy hour has 3 % bad: 97 % and stricter burn for ever, and would page all."""
    begin, span = 1_767_225_600, (1_767_225_600.0, 1_767_225_600.0 + 10 * 86_400)
    incidents = [Incident(begin + h * HOUR, begin + (h + 2) * HOUR) for h in (10, 30, 50, 60)]
    rows = [
        (t, (50.0, 20.0 if any(i.start < t <= i.end for i in incidents[:3]) else 1.6))
        for t in range(begin + 300, begin + 3 * 86_400 + 1, 300)
    ]
    what = budgets.judged(config("slos: [{name: grounding, objective: 99.9%}]").slos[0], ())
    endless = Fired(records.BUDGET_BURN, (("burn_tier", "fast"), ("environment", "production"), ("service", "shop"), ("slo", "grounding")), ((begin, int(span[1])),))  # fmt: skip
    (made,) = scores(
        [what], {"grounding": (_series(rows, 0), _series(rows, 1))}, [endless], *span, lambda what, budget: incidents
    )
    assert (made.missed, len(made.page.false)) == (0, 5)
    assert (made.watched, made.days) == (3, pytest.approx(3 - 8 / 24, abs=0.02))
    assert made.healthy == pytest.approx(0.032)
    fit = {page.percent(one.objective): one.fit for one in made.trials}
    assert fit == {"90%": True, "95%": True, "97%": False, "98%": False, "99%": False, "99.5%": False, "99.9%": False}
    # None that is quiet pages all four: the fourth had nothing in its counts.
    assert "set" not in page.verdict(made) and "stay in shadow; no objective from 90% to 99.9% does better here." in page.verdict(
        made
    )
    (three,) = scores(
        [what], {"grounding": (_series(rows, 0), _series(rows, 1))}, [endless], *span, lambda what, budget: incidents[:3]
    )
    assert "write objective: 95%, which gives 0 false pages here and 3 of 3 incidents paged" in page.verdict(three)
    told = "\n".join(page.lines([made], [], [], [], []))
    assert "too strict for a time without incidents, in which 3.2 % are bad: 97%, 98%, 99%, 99.5%, 99.9%" in told


def test_a_name_does_not_steer_a_terminal():
    """Names come from spans."""
    told = "\n".join(page.lines([score(service="a\x1b[2Jb\nc", tiers=())], [], [], [], []))
    assert "grounding of a�[2Jb�c in production" in told
    assert "a�b" in "\n".join(page.lines([], [], [], [], ["of a\x1bb"]))
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


def test_labels_do_not_lie_on_each_other_and_names_fit():
    """Thresholds of a small budget in a picture of a large incident lie within a pixel; a name may have 200 characters."""
    panel = Panel(score(budget=Decimal("0.001"), service="x" * 200 + "-the-end"), Series({}, ((0.0, 1.0), (60.0, 1.0))), None)
    root = xml.dom.minidom.parseString(picture([panel], 0.0, 43_200.0)).documentElement
    texts = {text.firstChild.data: float(text.getAttribute("y")) for text in root.getElementsByTagName("text")}
    rows = sorted(y for text, y in texts.items() if text.split()[0] in ("fast", "slow", "ticket") and "%" in text)
    assert len(rows) == 3
    assert min(b - a for a, b in pairwise(rows)) >= 12
    (title,) = (text for text in texts if text.startswith("grounding"))
    assert title.endswith("-the-end · production") and len(title) < 80
