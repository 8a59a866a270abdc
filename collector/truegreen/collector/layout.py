"""Where a span's attributes stand: spans of one call site have the same names in the same order, so what is looked up once is then taken by position.

A *layout* is that sequence of names. A *view* is what one service's spans of a layout need: the positions that make the key of its plans, and
what the other positions must begin with. Whoever finds a plan by the key has compared those attributes, names and values; the rest is compared
by name (`heads`), so a span is never read through the layout of another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final

from truegreen.collector import wire
from truegreen.collector.compile import EVALUATION, PARTS, Block, Step, tried
from truegreen.collector.folding import foldable
from truegreen.core.words import attributes as names
from truegreen.core.words.metric import Condition, Label

Held = Sequence[bytes]
"""The attributes of a span as bytes of a KeyValue each, then b"", then whether it failed (`compile.GOOD`, `compile.FAILED`)."""
Key = Callable[[Held], tuple[bytes, ...] | None]
Plan = list[Any]
"""[spans counted and not yet added, tick of the last touch, cells of counters and what a span adds to each, cells of gauges, what one more label set folded into it adds to, parts or
cells, what has exemplars, tick of the last slow example]"""
USES: Final = 20
TEXT, INTEGER, DOUBLE = 0x0A, 0x18, 0x21
"""How an AnyValue of these types begins."""
_NAMED: Final = re.compile(
    re.escape(names.EVALUATION_PREFIX) + r"(.+?)\.(?:raw|score|label|evaluator|scale|calibration|skipped|sampled)", re.DOTALL
)


@dataclass(slots=True, eq=False)
class Layout:
    """One sequence of attribute names.

    Args:
        at: the position of each name; of a name that is there twice the last.
        classes: the blocks whose spans may have it.
        evaluations: names of the evaluations that it carries.
        decides: positions that decide labels and conditions of the classes, and of the evaluation where there is but one.
        folds: those of them that only name values of labels, with the labels.
        checks: positions of short values that must be of one type, where in each the type stands, and the type; not empty.
    """

    heads: tuple[bytes, ...]
    at: Mapping[str, int]
    classes: tuple[Block, ...]
    evaluations: tuple[str, ...]
    decides: tuple[int, ...]
    folds: tuple[tuple[int, tuple[Label, ...]], ...] = ()
    checks: tuple[tuple[int, int, int], ...] = ()
    fast: Key | None = None
    rows: dict[tuple[str, str], tuple[Callable[[Held], Any], tuple[int, ...]]] = field(default_factory=dict)
    """What `Layouts.row` made of it, by block and evaluation: the plans of a layout share it."""


@dataclass(slots=True, eq=False)
class View:
    """A layout as the spans of one service and environment are counted through it."""

    layout: Layout
    key: Key
    plans: dict[Any, Plan] = field(default_factory=dict)
    own: dict[str, tuple[Key, dict[Any, Plan]]] = field(default_factory=dict)
    """Of spans that carry several evaluations: for each its key and its plans."""
    folded: dict[Any, Plan] = field(default_factory=dict)
    """Plans of spans of which a label is past its limit, by the key without it."""
    used: int = 0
    parts: dict[bytes, bytes] = field(default_factory=dict)

    def keep(self, key: tuple[bytes, ...], plan: Plan) -> None:
        """Find the plan by its key from now on. Keys share equal parts: combinations are many, values are few."""
        self.plans[tuple(map(self.parts.setdefault, key, key))] = plan

    def forget(self) -> None:
        """Let go of all plans: plans lead back to their view, and few objects of great size wait long for a collection of cycles."""
        self.plans.clear()
        self.parts.clear()
        self.folded.clear()
        for _, plans in self.own.values():
            plans.clear()

    def use(self) -> None:
        """Called now and then while spans come; the key of a layout that stays in use is compiled."""
        self.used += 1
        if self.used == USES:
            layout = self.layout
            layout.fast = layout.fast or compiled(layout)
            self.key = layout.fast


class Layouts:
    """Makes layouts and reads spans through them.

    Args:
        blocks: the classes of spans, the evaluation last.
        spans: the gate of each class.
        aliases: other names of an attribute.
    """

    def __init__(self, blocks: Sequence[Block], spans: Mapping[str, Condition], aliases: Mapping[str, tuple[str, ...]]) -> None:
        self._blocks = {block.name: block for block in blocks}
        self._spans = spans
        self._aliases = aliases
        self._foldable = foldable(blocks, spans, aliases)

    def made(self, heads: tuple[bytes, ...], event: str) -> Layout:
        """The layout of a sequence of KeyValues' beginnings; `event` names the evaluation of a log record that is one."""
        at = {wire.name(head): i for i, head in enumerate(heads)}
        if event:
            classes: tuple[Block, ...] = ()
            evaluations: tuple[str, ...] = (event,)
        else:
            classes = tuple(
                self._blocks[name] for name, gate in self._spans.items() if gate.read and self.positions(at, gate.read.names)
            )
            evaluated = any(block.name == "llm" for block in classes)
            evaluations = evaluations_in(at) if evaluated else ()
        reads = [read for block in classes for read in block.key]
        reads += [gate.read.names for block in classes if (gate := self._spans[block.name]).read]
        decides = [i for read in reads for i in self.positions(at, read)] + self.positions(at, (names.DUPLICATE,))
        if len(evaluations) == 1:
            decides += self._evaluation(at, evaluations[0])
        folds = tuple((at[name], self._foldable[name]) for name in at if name in self._foldable and at[name] in decides)
        return Layout(heads, at, classes, evaluations, tuple(sorted(set(decides))), folds)

    def view(self, layout: Layout) -> View:
        """A view without plans."""
        many = len(layout.heads)
        own: dict[str, tuple[Key, dict[Any, Plan]]] = {}
        if len(layout.evaluations) > 1:
            own = {name: (taker(self._evaluation(layout.at, name), many), {}) for name in layout.evaluations}
        return View(layout, layout.fast or careful(layout), own=own)

    def row(self, layout: Layout, block: Block, evaluation: str = "") -> tuple[Callable[[Held], Any], tuple[int, ...]]:
        """What takes a block's measured numbers from a span, and where in each the eight bytes of a double would begin."""
        made = layout.rows.get((block.name, evaluation))
        if made:
            return made
        many = len(layout.heads)
        wanted = [(names.evaluation(evaluation, read.names[0]),) if read.kind == EVALUATION else read.names for read in block.row]
        places = [next(iter(self.positions(layout.at, one)), many) for one in wanted]
        starts = [len(layout.heads[i]) + 2 if i < many else 0 for i in places]
        made = layout.rows[block.name, evaluation] = itemgetter(*places, many), tuple(starts)
        return made

    def has(self, layout: Layout, step: Step, evaluation: str) -> bool:
        """Whether a span of this layout may have the number of a step."""
        read = step.value.read
        if read is None or read.kind == "computed":
            return True
        if read.kind == EVALUATION:
            return names.evaluation(evaluation, read.names[0]) in layout.at
        return bool(self.positions(layout.at, (step.metric.each,) if read.kind == "item" else read.names))

    def value(self, layout: Layout, held: Held, wanted: tuple[str, ...]) -> bytes | None:
        """The AnyValue that a read finds in a span, in order of its names and their aliases."""
        return next((found for i in self.positions(layout.at, wanted) if (found := wire.value(held[i]))), None)

    def _evaluation(self, at: Mapping[str, int], name: str) -> list[int]:
        reads: Iterable[tuple[str, ...]] = (
            *((names.evaluation(name, part),) for part in PARTS), (names.EVALUATION_SAMPLED,), *self._blocks[EVALUATION].key,
        )  # fmt: skip
        return sorted({i for read in reads for i in self.positions(at, read)})

    def positions(self, at: Mapping[str, int], wanted: tuple[str, ...]) -> list[int]:
        """Where the names of a read and their aliases stand, in the order in which they are tried."""
        return [at[name] for name in tried(self._aliases, *wanted) if name in at]


def evaluations_in(attributes: Iterable[str]) -> tuple[str, ...]:
    """The evaluations of which there are attributes."""
    return tuple(sorted({match[1] for match in map(_NAMED.fullmatch, attributes) if match}))


def careful(layout: Layout) -> Key:
    """The key of a span of this layout; None of any other."""
    many, begins, heads = len(layout.heads), bytes.startswith, layout.heads
    key, checks = taker((*layout.decides, many + 1), many), layout.checks
    if not checks:
        return lambda held: key(held) if all(map(begins, held, heads)) else None

    def checked(held: Held) -> tuple[bytes, ...] | None:
        right = all(_is_right(held[i], at, kind) for i, at, kind in checks)
        return key(held) if right and all(map(begins, held, heads)) else None

    return checked


def _is_right(pair: bytes, at: int, kind: int) -> bool:
    if len(pair) <= at + 1 + (kind == TEXT):
        return False
    # A double is a number as well; one of the largest, or that is none, has an exponent of ones.
    return pair[at] == kind or (kind == INTEGER and pair[at] == DOUBLE and len(pair) == at + 9 and pair[-1] & 127 < 127)


def compiled(layout: Layout) -> Key:
    """The same as one expression, four times as fast: what decides is compared with the keys that are known, what does not by its name."""
    decides = {*layout.decides}
    # A KeyValue begins with a head when it is not less, and less than that head with its last byte (0x12) raised.
    tests = [f"{h!r} <= h[{i}] < {h[:-1] + bytes((0x13,))!r}" for i, h in enumerate(layout.heads) if h and i not in decides]
    for i, at, kind in layout.checks:
        real = f" or h[{i}][{at}] == {DOUBLE} and len(h[{i}]) == {at + 9} and h[{i}][-1] & 127 < 127" if kind == INTEGER else ""
        tests.append(f"len(h[{i}]) > {at + 1 + (kind == TEXT)} and (h[{i}][{at}] == {kind}{real})")
    key = ", ".join(f"h[{i}]" for i in (*layout.decides, len(layout.heads) + 1))
    return eval(f"lambda h: ({key},) if {' and '.join(tests) or True} else None")  # type: ignore[no-any-return]  # noqa: S307  # bytes and numbers


def taker(positions: Iterable[int], missing: int) -> Callable[[Held], tuple[bytes, ...]]:
    """What takes these positions of a span as a tuple; it takes what stands for none where they are fewer than two."""
    wanted = tuple(positions)
    return itemgetter(*wanted, *(missing,) * (2 - len(wanted)))


def add(cells: Iterable[tuple[list[float], float]], many: int) -> None:
    """Add to each cell what so many spans add to it."""
    for cell, amount in cells:
        cell[0] += amount * many


def size_of(key: tuple[Any, ...]) -> int:
    """Bytes and characters in a key, however deep."""
    return sum(size_of(part) if isinstance(part, tuple) else len(part) if isinstance(part, (bytes, str)) else 0 for part in key)
