"""The tests of two samples against SciPy's, and the error rate of a whole comparison where nothing moved."""

import json
import math
import random
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from truegreen.evaluation.baselines import comparison, distributions, drawing, significance
from truegreen.evaluation.baselines.event_baseline import design_effect
from truegreen.evaluation.model import Distribution, FrozenBaseline, Profile, Ratio

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
counts = st.integers(0, 400)
FEW = settings(max_examples=20)


def histogram(hours, total=1.0):
    """A distribution of counted buckets."""
    return distributions.of_buckets(BOUNDS, hours, total)


@FEW
@given(counts, counts, counts, counts)
def test_few_events_are_tested_exactly_and_many_as_a_difference_of_shares(x, good, y, well):
    """Fisher's test, else the chi-square of the same table without a correction; the effect is Cohen's h."""
    a, b = Ratio(x, x + good), Ratio(y, y + well)
    found = significance.ratios(a, b)
    if not (a.events and b.events):
        assert found is None
        return
    if found.test == "Fisher's exact":
        assert found.p == pytest.approx(stats.fisher_exact([[x, good], [y, well]]).pvalue, rel=1e-4, abs=1e-12)
    else:
        assert found.p == pytest.approx(stats.chi2_contingency([[x, good], [y, well]], correction=False).pvalue, rel=1e-9)
    assert found.effect == pytest.approx(2 * math.asin(math.sqrt(y / b.events)) - 2 * math.asin(math.sqrt(x / a.events)))
    assert found.low <= found.effect <= found.high


def test_events_that_come_in_bursts_weigh_less():
    """A design effect of 4 is a quarter of the events."""
    whole = significance.ratios(Ratio(200, 1000, 4.0), Ratio(260, 1000, 4.0))
    assert whole.p == pytest.approx(significance.ratios(Ratio(50, 250), Ratio(65, 250)).p)


@FEW
@given(st.lists(st.integers(0, 6), min_size=12, max_size=60), st.lists(st.integers(0, 6), min_size=12, max_size=60))
def test_ranks_are_mann_and_whitneys_with_ties(a, b):
    """The effect is twice the chance that a value of the second is larger, less one."""
    found = significance.values(a, b)
    if found is None:
        assert len(a) + len(b) - max(map((a + b).count, a + b)) < 10
        return
    expected = stats.mannwhitneyu(b, a, use_continuity=False, method="asymptotic")
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)
    assert found.effect == pytest.approx(2 * expected.statistic / (len(a) * len(b)) - 1, abs=1e-9)


@FEW
@given(st.lists(st.integers(0, 60), min_size=7, max_size=7), st.lists(st.integers(0, 60), min_size=7, max_size=7))
def test_buckets_are_tested_by_rank_and_by_shape(left, right):
    """The smaller p of Mann-Whitney and chi-square, doubled; here as SciPy has them, of the values behind the buckets."""
    if not (sum(left) and sum(right)):
        return
    found = significance.buckets(histogram([left]), histogram([right]))
    values = [[place for place, count in enumerate(row) for _ in range(count)] for row in (right, left)]
    rank = stats.mannwhitneyu(*values, use_continuity=False, method="asymptotic").pvalue
    rank = 1.0 if math.isnan(rank) else rank
    assert found.p <= min(1.0, 2 * rank) * (1 + 1e-6)
    if found.test.startswith("Mann"):
        assert found.p == pytest.approx(min(1.0, 2 * rank), rel=1e-6)


def test_a_longer_tail_is_seen_where_ranks_see_nothing():
    """Two in a hundred are slow, and the median is as it was."""
    usual, tailed = [0, 0, 300, 500, 190, 10, 0], [0, 0, 297, 491, 182, 10, 20]
    found = significance.buckets(histogram([usual]), histogram([tailed]))
    assert found.test.startswith("chi-square")
    assert found.p < 0.001


@FEW
@given(st.floats(-5, 5), st.floats(0.1, 5), st.integers(5, 60), st.integers(5, 60))
def test_means_are_welchs(shift, spread, n, m):
    """Of moments alone, by a normal score: a third off where five observations give a p of a millionth, close elsewhere."""
    made = [Distribution(count, mean, sd**2, ()) for count, mean, sd in ((n, 0.0, 1.0), (m, shift, spread))]
    expected = stats.ttest_ind_from_stats(0.0, 1.0, n, shift, spread, m, equal_var=False).pvalue
    assert significance.moments(*made).p == pytest.approx(expected, rel=0.35 if expected < 1e-3 else 0.18, abs=1e-9)


@FEW
@given(st.floats(0, 400), st.floats(0.5, 200))
def test_the_tail_of_chi_square_is_scipys(statistic, free):
    """Far out too."""
    assert significance.chi_square_tail(statistic, free) == pytest.approx(stats.chi2.sf(statistic, free), rel=1e-6, abs=1e-13)


@FEW
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_ps_are_benjamini_and_hochbergs(ps):
    """As SciPy adjusts them."""
    assert significance.adjusted(ps) == pytest.approx(stats.false_discovery_control(ps).tolist())


def test_centroids_are_told_apart_only_where_they_are():
    """Under the null p is spread evenly; a shift of one in eight dimensions is far beyond the permutations drawn."""
    rng = np.random.default_rng(3)
    ps = [significance.vectors(rng.normal(size=(60, 8)), rng.normal(size=(40, 8)), seed).p for seed in range(60)]
    assert stats.kstest(ps, "uniform").pvalue > 0.01
    moved = rng.normal(size=(60, 8)) + [2, 0, 0, 0, 0, 0, 0, 0]
    assert significance.vectors(rng.normal(size=(60, 8)), moved, 1).p < 1e-9
    assert significance.vectors(rng.normal(size=(9, 8)), moved, 1) is None


def test_what_has_nothing_to_say_is_not_tested():
    """No events, nearly one value only, three hours too few."""
    assert significance.values([0.0] * 100 + [1.0] * 5, [0.0] * 100) is None
    assert significance.values([], []) is None
    assert significance.moments(Distribution(2, 1.0, 1.0, ()), Distribution(9, 1.0, 1.0, ())) is None
    assert significance.moments(Distribution(5, 1.0, 0.0, ()), Distribution(9, 1.0, 0.0, ())) is None


@FEW
@given(st.lists(st.floats(0.001, 20), min_size=5, max_size=200))
def test_the_quantiles_of_buckets_lie_in_the_values_buckets(values):
    """Each of the 101 within the bucket of the true quantile, rising; what is beyond the last bound is given as that bound."""
    edges = [0.0, *BOUNDS, math.inf]
    counted = [sum(low < value <= high for value in values) for low, high in zip(edges, edges[1:], strict=False)]
    made = histogram([counted], sum(values))
    assert list(made.quantiles) == sorted(made.quantiles)
    assert made.count == len(values)
    assert made.mean == pytest.approx(sum(values) / len(values))
    ordered = sorted(values)
    for share in (0.25, 0.5, 0.75):
        true = ordered[max(math.ceil(share * len(values)) - 1, 0)]
        low = max(edge for edge in edges if edge < true)
        assert (
            low <= made.quantiles[round(share * 100)] <= max(min(next(edge for edge in edges if edge >= true), BOUNDS[-1]), low)
        )


@pytest.mark.parametrize("size", [1, 10])
def test_hours_that_differ_show_the_design_effect(size):
    """Values that come in groups of one bucket."""
    dice = random.Random(2)
    hours = []
    for _ in range(400):
        row = [0.0] * 4
        for _ in range(60 // size):
            row[dice.choices(range(4), [5, 3, 1, 1])[0]] += size
        hours.append(row)
    assert distributions.design_effect(hours) == pytest.approx(size, rel=0.15)


def _day(rng, burst):
    """A healthy day: seven ratios and four histograms in bursts, two means of hours, one template."""

    def ratio(share):
        hours = []
        for _ in range(24):
            number = float(rng.poisson(60))
            hour = rng.beta(share / burst, (1 - share) / burst) if burst else share
            hours.append((number, float(rng.binomial(number, hour))))
        return Ratio(sum(bad for _, bad in hours), sum(number for number, _ in hours), design_effect(hours))

    def number():
        edges = [0, *BOUNDS, 1e9]
        hours = [
            np.histogram(rng.lognormal(rng.normal(0, 20 * burst), 0.8, rng.poisson(30)), edges)[0].astype(float).tolist()
            for _ in range(24)
        ]
        return distributions.of_buckets(BOUNDS, hours, 1.0)

    numbers = {f"n{place}": number() for place in range(4)} | {
        f"t{place}": distributions.of_values(rng.normal(100, 3, 24).tolist()) for place in range(2)
    }
    style = np.stack([rng.lognormal(4, 0.5, 80), rng.poisson(4, 80), *(rng.poisson(0.3, 80) for _ in range(8))], axis=1)
    profile = Profile(
        "t", 80, *(tuple(map(tuple, one.tolist())) for one in (style, rng.normal(size=(80, 8)), rng.normal(size=(80, 8)))), "e"
    )
    ratios = {f"r{place}": ratio(share) for place, share in enumerate((0.001, 0.005, 0.02, 0.05, 0.3, 0.5))}
    return FrozenBaseline("bot", "production", "2026-11-01T00:00:00+00:00", "", numbers, ratios, (profile,), 1.0)


def _runs(burst, runs, seed):
    rng = np.random.default_rng(seed)
    compared = [comparison.compare(_day(rng, burst), _day(rng, burst), seed=run) for run in range(runs)]
    assert min(len(one.findings) for one in compared) > 15
    return sum(any(finding.moved for finding in one.findings) for one in compared)


def test_where_nothing_moved_at_most_one_comparison_in_twenty_names_anything():
    """Twenty and more tests each. With independent events; the slow half runs more of them, and with bursts."""
    assert _runs(0.0, 12, 5) <= 1


@pytest.mark.full
@pytest.mark.parametrize("burst", [0.0, 0.01, 0.02])
def test_where_nothing_moved_at_most_one_comparison_in_twenty_names_anything_in_many_runs(burst):
    """400 pairs of healthy days; the hours of a day are alike, or come in bursts that multiply the variance by two.

    A burst that is rarer than the days of the first baseline cannot be known from it, and is called a change: at 0.05 so much is.
    """
    assert _runs(burst, 400, 6) <= stats.binom.isf(0.01, 400, 0.05)


def test_names_from_spans_cannot_reach_the_terminal_or_break_the_picture():
    """A prompt's name is whatever an application says."""
    nasty = "a\x1b[31m<b>&\u202e\x00" + "x" * 300
    made = [
        FrozenBaseline("bot", "production", "2026-11-01T00:00:00+00:00", ratios={nasty: Ratio(bad, 1_000)}) for bad in (10, 200)
    ]
    found = comparison.compare(*made)
    told = "\n".join(comparison.lines(found, *made))
    assert "a?[31m<b>&??xxx" in told
    assert "\x1b" not in told
    drawn = drawing.svg(found, nasty)
    assert "<b>" not in drawn
    assert ET.fromstring(drawn).tag.endswith("svg")  # noqa: S314 - our own picture
    still = [
        FrozenBaseline("b", "p", "2026-11-01T00:00:00+00:00", numbers={"n": distributions.of_values([value] * 9)})
        for value in (1.0, 2.0)
    ]
    json.dumps(comparison.report(comparison.compare(*still)), allow_nan=False)
