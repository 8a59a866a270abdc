"""Writes the per-span processor as Python source from the catalogue.

For each class of spans the values of all attributes that decide labels and conditions make one key (bytes, as they came); a *plan* for that
key, made once by the interpreter in `plan.py`, holds the cells to add to. What is left for each span is the key, one look-up, and the measured
numbers. `truegreen collect --explain source` prints the source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from truegreen.collector.plan import attributes_of, is_constant
from truegreen.core.words import attributes as names
from truegreen.core.words.metric import Condition, Metric, Read, Value

LARGEST: Final = 1.7976931348623157e308
PARTS: Final = ("label", "evaluator", "scale", "calibration", "skipped", "sampled")
"""The parts of an evaluation that are texts, in the order of its key."""
EVALUATION: Final = "evaluation"
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
    """One class of spans: the reads of its key, its metrics, and its measured numbers in the order of the plan's cells."""

    name: str
    key: tuple[tuple[str, ...], ...]
    metrics: tuple[Metric, ...]
    steps: tuple[Step, ...]


def blocks(metrics: Sequence[Metric], spans: Mapping[str, Condition]) -> tuple[Block, ...]:
    """The classes of spans that some metric looks at, and the evaluations of a span as one more."""
    made = []
    for name in (*spans, EVALUATION):
        own = tuple(m for m in metrics if (EVALUATION if m.each == EVALUATION else m.span) == name and m.keep not in CODE_KEEPS)
        key = dict.fromkeys(read for m in own for read in attributes_of(m))
        steps = tuple(step for m in own if not is_constant(m) and m.keep != "since" for step in _steps(m))
        made.append(Block(name, tuple(key), own, steps))
    return tuple(made)


def source(
    made: Sequence[Block],
    spans: Mapping[str, Condition],
    resource: Sequence[str],
    aliases: Aliases | None = None,
    marks: Sequence[str] = (),
) -> str:
    """Python source of `build(h)`, which returns the functions `traces(data)` and `evaluate(...)`.

    Args:
        made: what `blocks` gave.
        spans: the gate of each class.
        resource: resource attributes that make the context's key.
        aliases: other names of an attribute, tried in order after its own (dialects).
        marks: attributes of which one makes a span of no known scope one of another dialect.
    """
    get = _Get(aliases or {})
    by_name = {block.name: block for block in made}
    lines = [
        "def build(h):",
        "    contexts, parse, number, double, doubles, bisect, is_error = h.contexts, h.parse, h.number, h.double, h.doubles, h.bisect, h.is_error",
        "    overlay_of, marked = h.overlays.of, h.overlays.marked",
        "    new_context, make, touch, bad, shape_of, failing, clock = h.new_context, h.make, h.touch, h.bad, h.shape_of, h.failing, h.clock",
    ]
    for block in made:
        lines += [f"    {_edges(step.metric)} = {step.metric.buckets!r}" for step in block.steps if step.metric.buckets]
    for name, gate in spans.items():
        if gate.values:
            lines.append(f"    GATE_{name} = h.gate({list(gate.values)!r})")
    lines += _evaluate(by_name[EVALUATION], get)
    lines += [
        "    def traces(data):",
        "        spans = 0",
        "        now = clock()",
        "        tick = int(now)",
        "        for rs in parse(data).resource_spans:",
        "            r = rs.resource.attributes.get",
        f"            k = ({', '.join(f'r({name!r})' for name in resource)},)",
        "            ctx = contexts.get(k)",
        "            if ctx is None: ctx = new_context(k)",
        f"            {', '.join(f'plans_{block.name}' for block in made)}, = ctx.plans",
        "            for ss in rs.scope_spans:",
        "                o = overlay_of(ss.scope.name)",
        "                for span in ss.spans:",
        "                    spans += 1",
        "                    held = span.attributes",
        "                    g = held.get",
        f"                    if o and ({' or '.join(['o is not marked', *(f'{mark!r} in held' for mark in marks)])}): g = o(span, g)",
        f"                    if {get(names.DUPLICATE)} == {bytes((0x10, 1))!r}: continue",
    ]
    for attribute in dict.fromkeys(gate.read.names for gate in spans.values() if gate.read):
        lines += _dispatch(attribute, spans, by_name, get)
    return "\n".join([*lines, "        return spans", "    return traces, evaluate", ""])


def looked_at(made: Sequence[Block], spans: Mapping[str, Condition]) -> frozenset[str]:
    """Every attribute that the processor looks up by its name."""
    reads = [read for block in made for read in block.key]
    reads += [gate.read.names for gate in spans.values() if gate.read]
    reads += [
        step.value.read.names for block in made for step in block.steps if step.value.read and step.value.read.kind == "attribute"
    ]
    more = (names.TIME_TO_FIRST_CHUNK, names.OUTPUT_TOKENS, names.SESSION_ID, names.CONVERSATION_ID, names.USER_ID)
    return frozenset(name for read in (*reads, more) for name in read)


def tried(aliases: Aliases, *wanted: str) -> tuple[str, ...]:
    """The attributes that a read looks at, in order: each name, then its other names."""
    return tuple(name for one in wanted for name in (one, *aliases.get(one, ())))


class _Get:
    """Source of a look-up, through the aliases."""

    def __init__(self, aliases: Aliases) -> None:
        self.aliases = aliases

    def __call__(self, *wanted: str) -> str:
        found = tried(self.aliases, *wanted)
        return f"g({found[0]!r})" if len(found) == 1 else "(" + " or ".join(f"g({name!r})" for name in found) + ")"


def _dispatch(attribute: tuple[str, ...], spans: Mapping[str, Condition], by_name: Mapping[str, Block], get: _Get) -> list[str]:
    pad = " " * 20
    own = [(name, gate) for name, gate in spans.items() if gate.read and gate.read.names == attribute]
    lines = [f"{pad}x = {get(*attribute)}", f"{pad}if x is not None:"]
    word = "if"
    for name, gate in own:
        if gate.values:
            lines.append(f"{pad}    {word} x in GATE_{name}:")
            lines += _block(by_name[name], attribute, by_name, get, pad + " " * 8)
            word = "elif"
        else:
            lines += _block(by_name[name], attribute, by_name, get, pad + " " * 4)
    return lines


def _block(block: Block, gate: tuple[str, ...], by_name: Mapping[str, Block], get: _Get, pad: str) -> list[str]:
    variables = {read: "x" if read == gate else f"a{i}" for i, read in enumerate(block.key)}
    evaluated = block.name == "llm"
    if evaluated:
        shared = by_name[EVALUATION].key
        variables |= {read: f"e{i}" for i, read in enumerate(shared) if read not in variables}
    lines = [f"{pad}{variable} = {get(*read)}" for read, variable in variables.items() if variable != "x"]
    lines += [
        f"{pad}s = span.status",
        f"{pad}k = ({', '.join(['s and is_error(s) or False', *(variables[read] for read in block.key)])},)",
        f"{pad}p = plans_{block.name}.get(k)",
        f"{pad}if p is None: p = make(ctx, {block.name!r}, k)",
        *_apply(block, variables, get, pad),
    ]
    if evaluated:
        passed = ", ".join(variables[read] for read in shared)
        lines += [
            f"{pad}found, more = shape_of(held)",
            f"{pad}if found: evaluate(ctx, plans_{EVALUATION}, found, g, ({passed},), span.trace_id, span.end, now, tick)",
            f"{pad}if not more: continue",
        ]
    return lines


def _evaluate(block: Block, get: _Get) -> list[str]:
    pad = " " * 12
    variables = {read: f"shared[{i}]" for i, read in enumerate(block.key)}
    return [
        f"    def evaluate(ctx, plans_{EVALUATION}, found, g, shared, trace_id, end, now, tick):",
        f"        for name, {', '.join(f'n_{part}' for part in PARTS)}, n_score, n_raw in found:",
        f"{pad}k = (name, {', '.join(f'g(n_{part})' for part in PARTS)} or {get(names.EVALUATION_SAMPLED)}, shared)",
        f"{pad}p = plans_{EVALUATION}.get(k)",
        f"{pad}if p is None: p = make(ctx, {EVALUATION!r}, k)",
        *_apply(block, variables, get, pad),
        f"{pad}if scores is not None:",
        f"{pad}    w = g(n_raw)",
        f"{pad}    if w is not None:",
        f"{pad}        v = {_number('w')}",
        f"{pad}        if {-LARGEST!r} <= v <= {LARGEST!r}: scores(v, {get(names.SESSION_ID, names.CONVERSATION_ID)})",
        f"{pad}        else: bad(v)",
        f"{pad}if fails: failing(ctx, name, trace_id, end, now, g)",
    ]


def _apply(block: Block, variables: Mapping[tuple[str, ...], str], get: _Get, pad: str) -> list[str]:
    cells = [f"m{i}" for i in range(len(block.steps))]
    extra = ["scores", "fails"] if block.name == EVALUATION else []
    lines = [
        f"{pad}{', '.join(['last', 'ones', 'kept', *cells, *extra])} = p",
        f"{pad}for c in ones: c[0] += 1.0",
        f"{pad}if kept and last != tick:",
        f"{pad}    p[0] = tick",
        f"{pad}    touch(kept, now, g)",
    ]
    groups: dict[tuple[Read | None, str, float | None, float | None], list[int]] = {}
    for index, step in enumerate(block.steps):
        groups.setdefault((step.value.read, step.value.minus, step.value.low, step.value.high), []).append(index)
    for (read, minus, low, high), indexes in groups.items():
        assert read is not None
        lines += _measure(read, minus, low, high, [(cells[i], block.steps[i]) for i in indexes], variables, get, pad)
    return lines


def _measure(
    read: Read, minus: str, low: float | None, high: float | None, takers: Sequence[tuple[str, Step]],
    variables: Mapping[tuple[str, ...], str], get: _Get, pad: str,
) -> list[str]:  # fmt: skip
    guard = " or ".join(f"{cell} is not None" for cell, _ in takers)
    lines = [f"{pad}if {guard}:"]
    pad += "    "
    test = f"{-LARGEST if low is None else float(low)!r} <= v <= {LARGEST if high is None else float(high)!r}"
    if read.kind == "item":
        lines += [f"{pad}w = {get(takers[0][1].metric.each)}", f"{pad}for v in doubles(w) if w is not None else ():"]
        pad += "    "
    elif read.names == ("duration",):
        lines.append(f"{pad}v = (span.end - span.start) * 1e-9")
    elif read.names == ("time_per_output_token",):
        lines += [
            f"{pad}w = {get(names.TIME_TO_FIRST_CHUNK)}",
            f"{pad}y = {get(names.OUTPUT_TOKENS)}",
            f"{pad}if w is not None and y is not None and (t := {_number('y')}) > 1:",
            f"{pad}    v = ((span.end - span.start) * 1e-9 - {_number('w')}) / (t - 1)",
        ]
        pad += "    "
    else:
        found = f"g(n_{read.names[0]})" if read.kind == "evaluation" else variables.get(read.names) or get(*read.names)
        lines.append(f"{pad}w = {found}")
        if minus:
            lines += [
                f"{pad}y = {get(minus)}",
                f"{pad}if w is not None and y is not None:",
                f"{pad}    v = {_number('w')} - {_number('y')}",
            ]
        else:
            lines += [f"{pad}if w is not None:", f"{pad}    v = {_number('w')}"]
        pad += "    "
    lines.append(f"{pad}if {test}:")
    for cell, step in takers:
        amount = "v * v" if step.value.squared else "v"
        inner = pad + "    " + (f"if {cell} is not None: " if len(takers) > 1 else "")
        if step.metric.kind == "histogram":
            lines.append(f"{inner}{cell}[bisect({_edges(step.metric)}, {amount}) + 1] += 1.0; {cell}[0] += {amount}")
        elif step.metric.kind == "counter":
            lines.append(f"{inner}{cell}[0] += {amount}")
        else:
            lines.append(f"{inner}{cell}[0] = {amount}; {cell}[1] = now")
    return [*lines, f"{pad}else: bad(v)"]


def _steps(metric: Metric) -> list[Step]:
    if metric.parts:
        return [Step(metric, part.value, part.labels) for part in metric.parts]
    assert metric.value is not None
    return [Step(metric, metric.value)]


def _number(variable: str) -> str:
    # A double is unpacked in place: a call costs as much as all the rest.
    return f"(double({variable}, 1)[0] if len({variable}) == 9 and {variable}[0] == 33 else number({variable}))"


def _edges(metric: Metric) -> str:
    return f"EDGES_{metric.constant}"
