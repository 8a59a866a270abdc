"""The shapes of a catalogue entry. Instances live in `catalogue.py`, which is generated from `catalogue.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

IDENTITY: Final = ("service", "environment")
"""The labels that every metric of an application has, first."""


@dataclass(frozen=True, slots=True)
class Read:
    """Where a value comes from.

    Args:
        kind: `attribute`, `resource` (names in order of preference), `evaluation` (a part of the evaluation at hand), `computed`
            (`duration`, `time_per_output_token`, `status_error`, `trace_id`) or `item` (the element of the list that `each` walks).
        names: attribute names, or the one part or computed name; empty for `item`.
    """

    kind: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A test on a span.

    Args:
        op: `present`, `in`, `contains` (case-insensitive part of a text), `has` (a list has one of them), `equals`, `over`, `under`,
            `all`, `any`, `not`.
        read: what is tested; None for `all`, `any` and `not`.
        values: what it is compared with.
        parts: the conditions inside `all`, `any` and `not`.
    """

    op: str
    read: Read | None = None
    values: tuple[str | float | bool, ...] = ()
    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A value that holds under a condition."""

    when: Condition
    then: str | float


@dataclass(frozen=True, slots=True)
class Label:
    """A label and where its value comes from: `cases` first, then `read`, then `default_cases`, then `default`.

    Args:
        limit: distinct values per service and environment; past it values become `__overflow__`.
        values: the closed set of values where there is one; others become `other`.
        default: None where the series is not counted without a value.
    """

    name: str
    read: Read | None = None
    cases: tuple[Case, ...] = ()
    default_cases: tuple[Case, ...] = ()
    default: str | None = None
    values: tuple[str, ...] = ()
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Value:
    """The number that is added, observed or set: `cases`, then `read` less `minus`, then `default`; squared where it says so.

    Args:
        low, high: what lies outside is counted as dropped; None where there is no bound.
    """

    read: Read | None = None
    cases: tuple[Case, ...] = ()
    default: float | None = None
    minus: str = ""
    squared: bool = False
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One of several values that a metric takes from one span, under fixed labels."""

    value: Value
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Born:
    """When all values of a label are born together at 0."""

    when: Condition
    label: str


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the catalogue.

    Args:
        name: the OTLP name, such as `truegreen.llm.duration`.
        unit: UCUM as OTLP has it: `s`, `By`, `1`, `{call}` or empty.
        kind: `counter`, `histogram` or `gauge`.
        failure_mode, pillar: empty where there is none.
        source: `span`, `agent span`, `span, evaluation event`, `watch`, `canary`, `drill`, `incident`, `calibration file`, `changelog` or `collector`.
        label_set: the labels beside service and environment.
        span: the class of spans (`catalogue.SPANS`) that it looks at; empty for metrics that no span feeds.
        each: empty, `evaluation`, or the list attribute whose elements are counted one by one.
        value: None counts 1.
        keep: empty (add, observe or set), `distinct`, `since` or `traces`.
        expires: scrape intervals after which a gauge that was not seen leaves, 0 for never.
        identity: whether it has the labels service and environment.
        stock: what an OpenTelemetry Collector alone can do of it: `full`, `partial`, `none`; `stock_why` says what it cannot.
        nearest: the `gen_ai.client.*` (or `gen_ai.*`) metric that comes nearest, or empty.
    """

    name: str
    unit: str
    kind: str
    description: str
    layer: str
    source: str
    stock: str
    label_set: tuple[Label, ...] = ()
    failure_mode: str = ""
    pillar: str = ""
    span: str = ""
    each: str = ""
    when: Condition | None = None
    value: Value | None = None
    parts: tuple[Part, ...] = ()
    born: Born | None = None
    keep: str = ""
    expires: int = 0
    identity: bool = True
    buckets: tuple[float, ...] = ()
    nearest: str = ""
    stock_why: str = ""

    @property
    def prometheus(self) -> str:
        """The name that Prometheus sees; a histogram's series are `.bucket`, `.sum` and `.count`."""
        return prometheus_name(self.name, self.unit, self.kind)

    @property
    def bucket(self) -> str:
        """`<name>_bucket` of a histogram."""
        return self._histogram("_bucket")

    @property
    def sum(self) -> str:
        """`<name>_sum` of a histogram."""
        return self._histogram("_sum")

    @property
    def count(self) -> str:
        """`<name>_count` of a histogram."""
        return self._histogram("_count")

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of all labels, service and environment first."""
        return (*(IDENTITY if self.identity else ()), *(label.name for label in self.label_set))

    @property
    def constant(self) -> str:
        """The name of its constant in `catalogue.py`."""
        return prometheus_name(self.name, "", "").removeprefix("truegreen_").upper()

    def label(self, name: str) -> Label:
        """The label of that name, beside service and environment.

        Raises:
            KeyError: the metric has no such label.
        """
        for label in self.label_set:
            if label.name == name:
                return label
        raise KeyError(f"{self.prometheus} has no label {name!r}; it has {', '.join(self.labels)}")

    def _histogram(self, suffix: str) -> str:
        if self.kind != "histogram":
            raise AttributeError(f"{self.prometheus} is a {self.kind}: it has no {suffix} series")
        return self.prometheus + suffix


@dataclass(frozen=True, slots=True)
class External:
    """A metric that another exporter makes: may be charted, and is exempt from "returns data"."""

    name: str
    exporter: str
    kind: str
    unit: str
    description: str

    @property
    def prometheus(self) -> str:
        """The name that Prometheus sees."""
        return self.name


_LARGE: Final = 6
"""From this power of ten on a bound is written with an exponent."""
UNITS: Final = {"s": "seconds", "ms": "milliseconds", "By": "bytes", "%": "percent", "$": "dollars"}


@lru_cache(maxsize=1024)
def prometheus_name(name: str, unit: str, kind: str) -> str:
    """The OTLP to Prometheus name: dots to underscores, the unit's word, `_ratio` on a gauge of unit 1, `_total` on a counter.

    Source: OpenTelemetry "Prometheus and OpenMetrics compatibility", as the collector's exporter does it with suffixes on.
    """
    made = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
    word = UNITS.get(unit, "")
    if word and not made.endswith("_" + word):
        made += "_" + word
    if unit == "1" and kind == "gauge":
        made += "_ratio"
    return made + "_total" if kind == "counter" and not made.endswith("_total") else made


def bound(value: Decimal) -> str:
    """A bucket's bound as exporters write it: with an exponent from a million on and under 0.0001 (Go's `strconv.FormatFloat(value, 'g', -1, 64)`)."""
    exact = value.normalize()
    if -5 < exact.adjusted() < _LARGE:
        return f"{exact:f}"
    first, *more = map(str, exact.as_tuple().digits)
    return f"{'-' * exact.is_signed()}{first}{'.' * bool(more)}{''.join(more)}e{exact.adjusted():+03d}"
