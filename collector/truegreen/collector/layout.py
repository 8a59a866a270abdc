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
from truegreen.collector.compile import EVALUATION, PARTS, Block, tried
from truegreen.core.words import attributes as names
from truegreen.core.words.metric import Condition

Held = Sequence[bytes]
"""The attributes of a span as bytes of a KeyValue each, then b"", then whether it failed (`compile.GOOD`, `compile.FAILED`)."""
Key = Callable[[Held], tuple[bytes, ...] | None]
Plan = list[Any]
"""[spans counted and not yet added, tick of the last touch, cells of counters and what a span adds to each, cells of gauges, cells of what was dropped, parts or cells, what has
exemplars, tick of the last slow example]"""
USES: Final = 20
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
    """

    heads: tuple[bytes, ...]
    at: Mapping[str, int]
    classes: tuple[Block, ...]
    evaluations: tuple[str, ...]
    decides: tuple[int, ...]
    fast: Key | None = None


@dataclass(slots=True, eq=False)
class View:
    """A layout as the spans of one service and environment are counted through it."""

    layout: Layout
    key: Key
    plans: dict[Any, Plan] = field(default_factory=dict)
    own: dict[str, tuple[Key, dict[Any, Plan]]] = field(default_factory=dict)
    """Of spans that carry several evaluations: for each its key and its plans."""
    used: int = 0

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
            found = {match[1] for match in map(_NAMED.fullmatch, at) if match} if evaluated else ()
            evaluations = tuple(sorted(found))
        reads = [read for block in classes for read in block.key]
        reads += [gate.read.names for block in classes if (gate := self._spans[block.name]).read]
        decides = [i for read in reads for i in self.positions(at, read)] + self.positions(at, (names.DUPLICATE,))
        if len(evaluations) == 1:
            decides += self._evaluation(at, evaluations[0])
        return Layout(heads, at, classes, evaluations, tuple(sorted(set(decides))))

    def view(self, layout: Layout) -> View:
        """A view without plans."""
        many = len(layout.heads)
        own: dict[str, tuple[Key, dict[Any, Plan]]] = {}
        if len(layout.evaluations) > 1:
            own = {name: (taker(self._evaluation(layout.at, name), many), {}) for name in layout.evaluations}
        return View(layout, layout.fast or careful(layout), own=own)

    def row(self, layout: Layout, block: Block, evaluation: str = "") -> tuple[Callable[[Held], Any], tuple[int, ...]]:
        """What takes a block's measured numbers from a span, and where in each the eight bytes of a double would begin."""
        many = len(layout.heads)
        wanted = [(names.evaluation(evaluation, read.names[0]),) if read.kind == EVALUATION else read.names for read in block.row]
        places = [next(iter(self.positions(layout.at, one)), many) for one in wanted]
        starts = [len(layout.heads[i]) + 2 if i < many else 0 for i in places]
        return itemgetter(*places, many), tuple(starts)

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


def careful(layout: Layout) -> Key:
    """The key of a span of this layout; None of any other."""
    many, begins, heads = len(layout.heads), bytes.startswith, layout.heads
    key = taker((*layout.decides, many + 1), many)
    return lambda held: key(held) if all(map(begins, held, heads)) else None


def compiled(layout: Layout) -> Key:
    """The same as one expression, four times as fast: what decides is compared with the keys that are known, what does not by its name."""
    decides = {*layout.decides}
    # A KeyValue begins with a head when it is not less, and less than that head with its last byte (0x12) raised.
    tests = [f"{h!r} <= h[{i}] < {h[:-1] + bytes((0x13,))!r}" for i, h in enumerate(layout.heads) if i not in decides]
    key = ", ".join(f"h[{i}]" for i in (*layout.decides, len(layout.heads) + 1))
    return eval(f"lambda h: ({key},) if {' and '.join(tests) or True} else None")  # type: ignore[no-any-return]  # noqa: S307  # bytes and numbers


def taker(positions: Iterable[int], missing: int) -> Callable[[Held], tuple[bytes, ...]]:
    """What takes these positions of a span as a tuple; it takes what stands for none where they are fewer than two."""
    wanted = tuple(positions)
    return itemgetter(*wanted, *(missing,) * (2 - len(wanted)))
