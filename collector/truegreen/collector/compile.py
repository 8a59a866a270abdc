"""Writes the per-span processor as Python source from the catalogue.

What decides labels and conditions was looked up before (`layout.py`): a span's *plan* holds the cells of its metrics. What is written here is
the loop over spans: find the plan, count one, and add the measured numbers of each class of spans to its cells.
`truegreen collect --explain source` prints the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from truegreen.collector import wire
from truegreen.collector.plan import attributes_of, is_constant
from truegreen.core.words import attributes as names
from truegreen.core.words.metric import Condition, Metric, Read, Value

EXAMPLES: Final = (Read("computed", ("duration",)), Read("evaluation", ("score",)))
"""Histograms of these have exemplars."""
LARGEST: Final = 1.7976931348623157e308
PARTS: Final = ("label", "evaluator", "scale", "calibration", "skipped", "sampled")
"""The parts of an evaluation that are texts, in the order of its key."""
EVALUATION: Final = "evaluation"
GOOD: Final = (b"", b"")
FAILED: Final = (b"", b"\x01")
"""What follows a span's attributes: what stands for an attribute that it lacks, and whether its status is an error."""
RAW: Final = Read("evaluation", ("raw",))
SESSION: Final = Read("attribute", (names.SESSION_ID, names.CONVERSATION_ID))
_FIRST_CHUNK: Final = Read("attribute", (names.TIME_TO_FIRST_CHUNK,))
_OUTPUT: Final = Read("attribute", (names.OUTPUT_TOKENS,))
_TIMED: Final = (("duration",), ("time_per_output_token",))
CODE_KEEPS: Final = ("distinct", "traces")
"""What is kept by `evidence.py`, not by a cell of the plan."""
Aliases = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Step:
    """A measured number and the metric that takes it; `fixed` are labels of this part."""

    metric: Metric
    value: Value
    fixed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """One class of spans.

    Args:
        key: the attributes, by the names of a read, that decide labels and conditions.
        metrics: what is counted.
        steps: measured numbers in the order of the plan's cells.
        row: what the measured numbers are read from: attributes, and parts of the evaluation at hand.
    """

    name: str
    key: tuple[tuple[str, ...], ...]
    metrics: tuple[Metric, ...]
    steps: tuple[Step, ...]
    row: tuple[Read, ...]


def blocks(metrics: Sequence[Metric], spans: Mapping[str, Condition]) -> tuple[Block, ...]:
    """The classes of spans that some metric looks at, and the evaluations of a span as one more."""
    made = []
    for name in (*spans, EVALUATION):
        own = tuple(m for m in metrics if (EVALUATION if m.each == EVALUATION else m.span) == name and m.keep not in CODE_KEEPS)
        key = dict.fromkeys(read for m in own for read in attributes_of(m))
        steps = tuple(step for m in own if not is_constant(m) and m.keep != "since" for step in _steps(m))
        row = dict.fromkeys(read for step in steps for read in _read_by(step))
        if name == EVALUATION:
            row |= dict.fromkeys((RAW, SESSION))
        made.append(Block(name, tuple(key), own, steps, tuple(row)))
    return tuple(made)


def source(made: Sequence[Block], aliases: Aliases) -> str:
    """Python source of `build(h)`, which returns the function `count(context, kind, spans, now, tick)`; that returns how many spans there were.

    Args:
        made: what `blocks` gave.
        aliases: other names of an attribute, tried in order after its own (dialects).
    """
    lines = [
        "def build(h):",
        "    double, doubles, numbers, bisect, is_error = h.double, h.doubles, h.numbers, h.bisect, h.is_error",
        "    look, more, touch, bad, example = h.look, h.more, h.touch, h.bad, h.example",
        f"    GOOD, FAILED, NONE, MISSING = {GOOD!r}, {FAILED!r}, (), float('-inf')",
    ]
    for block in made:
        # As literals: a name may hold anything, and a line's end in it must not end the comment.
        lines += [f"    # {block.name}: {' or '.join(map(repr, tried(aliases, *read)))}" for read in block.key]
        lines += [
            f"    {edges(step.metric)} = (MISSING, {', '.join(map(repr, step.metric.buckets))})"
            for step in block.steps
            if step.metric.buckets
        ]
    lines += [
        "    def count(ctx, kind, spans, now, tick):",
        "        many = 0",
        "        views, dialect = ctx.views[kind], callable(kind)",
        "        for span in spans:",
        "            many += 1",
        "            held = span.attributes[:]",
        "            s = span.status",
        "            held += GOOD if not s or not is_error(s) else FAILED",
        "            for view in NONE if dialect and span.events else views.get(len(held), NONE):",
        "                p = view.plans.get(view.key(held))",
        "                if p is not None: break",
        "            else: view, p, held = look(ctx, kind, span, held)",
        "            p[0] += 1",
        "            if p[1] != tick: touch(p, tick, now, view, span, held)",
        "            for code, cells, row, own, name, ats in p[5]:",
    ]
    word = "if"
    for code, block in enumerate(made):
        if block.steps or block.name == EVALUATION:
            lines += [f"                {word} code == {code}:  # {block.name}", *_counted(block, " " * 20)]
            word = "elif"
    return "\n".join([*lines, "        return many", "    return count", ""])


def by_use(made: Sequence[Block], spans: Mapping[str, Condition]) -> tuple[frozenset[str], frozenset[str]]:
    """The attributes that decide the plan of a span, and those that are taken from each."""
    deciding = [*(read for block in made for read in block.key), *(gate.read.names for gate in spans.values() if gate.read)]
    measured = [read.names for block in made for read in block.row if read.kind == "attribute"]
    more = (names.SESSION_ID, names.CONVERSATION_ID, names.USER_ID, names.SNAPSHOT_SINCE)
    return (
        frozenset(name for read in (*deciding, (names.SNAPSHOT_ID,)) for name in read),
        frozenset(name for read in (*measured, more) for name in read),
    )


def looked_at(made: Sequence[Block], spans: Mapping[str, Condition]) -> frozenset[str]:
    """Every attribute that the processor looks up by its name."""
    reads = [read for block in made for read in block.key]
    reads += [gate.read.names for gate in spans.values() if gate.read]
    reads += [read.names for block in made for read in block.row if read.kind == "attribute"]
    more = (
        names.SESSION_ID,
        names.CONVERSATION_ID,
        names.USER_ID,
        names.SNAPSHOT_SINCE,
        names.EVALUATION_SAMPLED,
        names.DUPLICATE,
    )
    return frozenset(name for read in (*reads, more) for name in read)


def needed(made: Sequence[Block], spans: Mapping[str, Condition]) -> Mapping[str, Mapping[bytes | None, frozenset[str]]]:
    """By attribute that makes a span one that is counted, and by its value (None for any), what is read of a span that carries no evaluation."""
    found: dict[str, dict[bytes | None, frozenset[str]]] = {}
    for block in made:
        gate = spans.get(block.name)
        if gate and gate.read:
            reads = {name for read in (*block.key, *(one.names for one in block.row if one.kind == "attribute")) for name in read}
            for name in gate.read.names:
                for value in (*(wire.encoded(str(one)) for one in gate.values), *(() if gate.values else (None,))):
                    known = found.setdefault(name, {})
                    known[value] = known.get(value, frozenset()) | reads
    return found


def tried(aliases: Aliases, *wanted: str) -> tuple[str, ...]:
    """The attributes that a read looks at, in order: each name, then its other names."""
    return tuple(name for one in wanted for name in (one, *aliases.get(one, ())))


def edges(metric: Metric) -> str:
    """The name of a histogram's bounds in the source: of its name in Prometheus, which no other metric has."""
    return f"EDGES_{metric.prometheus}"


def _read_by(step: Step) -> Iterable[Read]:
    read = step.value.read
    assert read is not None
    if read.kind == "item":
        return (Read("attribute", (step.metric.each,)),)
    if read.names == ("duration",):
        return ()
    if read.names == ("time_per_output_token",):
        return (_FIRST_CHUNK, _OUTPUT)
    return (read, Read("attribute", (step.value.minus,))) if step.value.minus else (read,)


def _counted(block: Block, pad: str) -> list[str]:
    cells = [f"m{i}" for i in range(len(block.steps))]
    held = {read: f"w{i}" for i, read in enumerate(block.row)}
    lines = []
    if block.name == EVALUATION:
        cells += ["scores", "failed"]
        lines += [
            f"{pad}if own is not None:",
            f"{pad}    p = own[1].get(own[0](held)) or more(ctx, view, own, name, held)",
            f"{pad}    p[0] += 1",
            f"{pad}    if p[1] != tick: touch(p, tick, now, view, span, held)",
            f"{pad}    cells = p[5]",
        ]
    lines.append(f"{pad}{', '.join(cells)}, = cells")
    if held:
        lines.append(f"{pad}{', '.join(held.values())}, _ = row(held)")
        lines.append(f"{pad}{', '.join(f'at_{variable}' for variable in held.values())}, = ats")
    steps = [(cell, step) for cell, step in zip(cells, block.steps, strict=False)]
    if any(step.value.read and step.value.read.names in _TIMED for _, step in steps):
        lines.append(f"{pad}d = (span.end - span.start) / 1e9")
    lists = {Read("attribute", (step.metric.each,)) for _, step in steps if step.value.read and step.value.read.kind == "item"}
    for read, variable in held.items():
        if read not in lists and read != SESSION:
            lines.append(f"{pad}{variable} = {_number(variable)} if {variable} else None")
    groups: dict[tuple[Read | None, str, float | None, float | None], list[tuple[str, Step]]] = {}
    for cell, step in steps:
        groups.setdefault((step.value.read, step.value.minus, step.value.low, step.value.high), []).append((cell, step))
    for takers in groups.values():
        lines += _measure(takers, held, pad)
    if block.name == EVALUATION:
        raw, session = held[RAW], held[SESSION]
        lines += [
            f"{pad}if scores is not None and {raw} is not None:",
            f"{pad}    if {-LARGEST!r} <= {raw} <= {LARGEST!r}: scores({raw}, {session})",
            f"{pad}    else: bad({raw})",
            f"{pad}if failed is not None: failed(span, now, held)",
        ]
    return lines


def _measure(takers: Sequence[tuple[str, Step]], held: Mapping[Read, str], pad: str) -> list[str]:
    value = takers[0][1].value
    read = value.read
    assert read is not None
    sure = [_always(step) for _, step in takers]
    active = "" if any(sure) else " and ".join(["", "(" + " or ".join(f"{cell} is not None" for cell, _ in takers) + ")"])
    low, high = (-LARGEST if value.low is None else float(value.low)), (LARGEST if value.high is None else float(value.high))
    v = "v"
    if read.kind == "item":
        listed = held[Read("attribute", (takers[0][1].metric.each,))]
        lines = [f"{pad}if {listed}{active}:", f"{pad}    for v in doubles({listed}):"]
        pad += " " * 8
    elif read.names == ("duration",):
        lines, v = ([f"{pad}if {active.removeprefix(' and ')}:"] if active else []), "d"
        pad += "    " if active else ""
    elif read.names == ("time_per_output_token",):
        first, many = held[_FIRST_CHUNK], held[_OUTPUT]
        lines = [
            f"{pad}if {first} is not None and {many} is not None and 1 < {many} <= {LARGEST!r}{active}:",
            f"{pad}    v = (d - {first}) / ({many} - 1)",
        ]
        pad += "    "
    elif value.minus:
        whole, less = held[read], held[Read("attribute", (value.minus,))]
        lines = [f"{pad}if {whole} is not None and {less} is not None{active}:", f"{pad}    v = {whole} - {less}"]
        pad += "    "
    else:
        v = held[read]
        lines = [f"{pad}if {v} is not None{active}:"]
        pad += "    "
    lines.append(f"{pad}if {low!r} <= {v} <= {high!r}:")
    for (cell, step), certain in zip(takers, sure, strict=True):
        amount = f"{v} * {v}" if step.value.squared else v
        inner = pad + "    " + ("" if certain or len(takers) == 1 else f"if {cell} is not None: ")
        if step.metric.kind == "histogram" and read == EXAMPLES[0]:
            slow = step.metric.buckets[len(step.metric.buckets) * 3 // 4]
            lines.append(f"{inner}if {v} > {slow!r} and p[7] != tick: p[7] = tick; example(p[6], span, now, held)")
        if step.metric.kind == "histogram":
            lines.append(f"{inner}{cell}[bisect({edges(step.metric)}, {amount})] += 1.0; {cell}[0] += {amount}")
        elif step.metric.kind == "counter":
            lines.append(f"{inner}{cell}[0] += {amount}")
        else:
            lines.append(f"{inner}{cell}[0] = {amount}; {cell}[1] = now")
    return [*lines, f"{pad}else: bad({v})"]


def _always(step: Step) -> bool:
    """Whether every span of the class has a cell for it."""
    fixed = dict(step.fixed)
    return step.metric.when is None and all(label.default is not None or label.name in fixed for label in step.metric.label_set)


def _steps(metric: Metric) -> list[Step]:
    if metric.parts:
        return [Step(metric, part.value, part.labels) for part in metric.parts]
    assert metric.value is not None
    return [Step(metric, metric.value)]


def _number(variable: str) -> str:
    # A double is unpacked in place: a call costs as much as all the rest. Where it begins depends on the name that the span uses.
    at = f"at_{variable}"
    return f"(double({variable}, {at})[0] if len({variable}) - {at} == 8 and {variable}[{at} - 1] == 33 else numbers[{variable}])"
