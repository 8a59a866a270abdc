"""Plants an error in every function of the instrumentation that a load reaches, and in every statement of those that have no caller of ours.

A function whose error a caller of ours takes care of is fine. One whose error comes out at the application (a hook of OpenTelemetry, a public
name) must take care itself: then every statement of it that calls anything, other than such a function, is made to raise in its turn.
"""

from __future__ import annotations

import ast
import contextlib
import contextvars
import importlib
import inspect
import pkgutil
import sys
import textwrap
import threading
from pathlib import Path
from types import FunctionType

import truegreen.instrumentation as package

FOLDERS = (Path(inspect.getfile(package)).parent,)
NOT_BROKEN = (
    "generate",
    "testing",
    "locks",
)  # not in the application; and a lock that cannot be released is a broken interpreter
READS = {"loads", "dumps", "float"}
"""What fails here says something about the value and is no failure of ours: it need not be counted."""
CANNOT_FAIL = {
    "original", "wrapped", "_ended", "ref",  # the application's own calls
    "detach",  # OpenTelemetry's: it logs what goes wrong
    "hasattr", "isinstance", "getattr", "len", "list", "dict", "tuple", "deque", "set", "type", "iter", "next", "bool", "partial", "super", "nullcontext",
    "copy", "Agent", "encode", "digest",  # of our own dataclasses; with errors="replace"
    "id", "range", "items", "update", "attach", "get_value", "isfinite", "strip", "upper", "blake2b", "hexdigest",
    "get", "pop", "popleft", "clear", "append", "acquire", "release", "RLock", "Lock", "Event", "time_ns", "monotonic", "perf_counter",
}  # fmt: skip


class Planted(RuntimeError):
    """The planted error."""


def modules():
    """Every module of the package that lives in the application's process."""
    names = (m.name for m in pkgutil.iter_modules(package.__path__) if m.name not in NOT_BROKEN)
    found = [package]
    for name in names:
        with contextlib.suppress(ImportError):  # an optional library that is not there: so is its module
            found.append(importlib.import_module(f"{package.__name__}.{name}"))
    return found


def functions():
    """(owner, name, function) of every function and method that is written in the package."""
    for module in modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, type) and value.__module__ == module.__name__:
                for member, inner in list(vars(value).items()):
                    if (function := _function(inner)) is not None:
                        yield value, member, function
            elif (function := _function(value)) is not None and function.__module__ == module.__name__:
                yield module, name, function


def _function(value):
    value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
    value = inspect.unwrap(value) if callable(value) else value
    return value if isinstance(value, FunctionType) and Path(value.__code__.co_filename).parent in FOLDERS else None


def reached(load):
    """The code objects of the package that a load runs, and its result."""
    seen = set()

    def note(frame, event, arg):
        if event == "call" and Path(frame.f_code.co_filename).parent in FOLDERS:
            seen.add(frame.f_code)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        result = _run(load)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return seen, result


@contextlib.contextmanager
def broken(owner, name, function):
    """The function raises wherever the package knows it; yields the list of its calls and what came out of threads."""
    calls = []

    def raises(*args, **kwargs):
        calls.append(name)
        raise Planted("ZEBRA the prompt is in this error")

    known = vars(owner)[name]
    stub = property(raises) if isinstance(known, property) else staticmethod(raises) if isinstance(owner, type) else raises
    places = (
        [(owner, name)]
        if isinstance(owner, type)
        else [(m, k) for m in modules() for k, v in list(vars(m).items()) if v is known]
    )
    for place, key in places:
        setattr(place, key, stub)
    try:
        with of_threads() as outside:
            yield calls, outside
    finally:
        for place, key in places:
            setattr(place, key, known)


@contextlib.contextmanager
def of_threads():
    """What comes out of a thread of ours: nobody is above it."""
    outside = []
    before, threading.excepthook = threading.excepthook, outside.append
    try:
        yield outside
    finally:
        threading.excepthook = before


@contextlib.contextmanager
def broken_statement(code, first, last):
    """The first line of the statement that is run raises, each time; yields the list of its runs."""
    runs = []

    def line(frame, event, arg):
        if event == "line" and first <= frame.f_lineno <= last:
            runs.append(frame.f_lineno)
            raise Planted("ZEBRA the prompt is in this error")
        return line

    def call(frame, event, arg):
        return line if frame.f_code is code else None

    before = sys.gettrace()
    threading.settrace(call)
    sys.settrace(call)
    try:
        yield runs
    finally:
        sys.settrace(before)
        threading.settrace(None)


def statements(function):
    """(first line, last line, names called) of the statements of a function that call anything; a block counts by its head."""
    source, start = inspect.getsourcelines(function)
    tree = ast.parse(textwrap.dedent("".join(source))).body[0]
    for node in _statements(tree.body):
        parts = [part for name, part in ast.iter_fields(node) if name not in ("body", "orelse", "handlers", "finalbody")]
        heads = [one for part in parts for one in (part if isinstance(part, list) else [part]) if isinstance(one, ast.AST)]
        calls = {_name(c.func) for head in heads for c in ast.walk(head) if isinstance(c, ast.Call)}
        if calls:
            last = max(
                getattr(inner, "end_lineno", node.lineno) or node.lineno for head in heads for inner in [head, *ast.walk(head)]
            )
            yield node.lineno + start - 1, last + start - 1, calls


def _statements(body):
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        yield node
        for inner in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(node, inner, []))
        for handler in getattr(node, "handlers", []):
            yield from _statements(handler.body)


def _name(node):
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "?")


def escapes(load, counted, clean):
    """What an application would see of errors in us, one line each; the names of the functions that had to take care themselves."""
    clean()
    ran, expected = reached(load)
    told: list[str] = []
    edges: dict[str, FunctionType] = {}
    for owner, name, function in functions():
        if function.__code__ not in ran:
            continue
        where = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"
        clean()
        with broken(owner, name, function) as (calls, outside):
            got = _run(load)
        if got != expected or outside or not calls:
            edges[where] = function
        elif not counted():
            told.append(f"{where}: its error is swallowed and not counted")
    safe = CANNOT_FAIL | {function.__name__ for function in edges.values()} | {
        one.rpartition(".")[0].rpartition(".")[2] for one in edges if one.endswith("__init__")
    }  # fmt: skip
    for where, function in edges.items():
        for first, last, calls in statements(function):
            if calls <= safe:
                continue
            clean()
            with of_threads() as outside, broken_statement(function.__code__, first, last) as runs:
                got = _run(load)
            if runs and (got != expected or outside):
                told.append(
                    f"{where}, line {first} ({', '.join(sorted(calls - safe))}): the application gets {got!r} in place of {expected!r}"
                )
            elif runs and not counted() and not calls <= safe | READS:
                told.append(f"{where}, line {first}: its error is swallowed and not counted")
    return told, set(edges)


def _run(load):
    try:
        return contextvars.Context().run(load)  # what it attaches and leaves is gone with it
    except Exception as error:
        return f"{type(error).__name__}: {error}"
