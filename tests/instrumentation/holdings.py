"""What the instrumentation holds in memory: every container that can be reached from its modules and its processor, by where it is."""

from __future__ import annotations

import sys
from collections import deque
from contextvars import ContextVar
from queue import SimpleQueue
from types import FunctionType, MethodType
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from truegreen.instrumentation import TruegreenInstrumentor

PACKAGE = "truegreen.instrumentation"


def sizes():
    """Path to the number of items, added up over the containers that have the same path."""
    found, seen = {}, set()
    todo = deque(
        (f"{name.removeprefix(PACKAGE + '.')}.{key}", value)
        for name, module in sorted(sys.modules.items())
        if name.startswith(PACKAGE)
        for key, value in vars(module).items()
        if not key.startswith("__")
    )
    todo.append(("processor", TruegreenInstrumentor()._processor))
    while todo:
        path, one = todo.popleft()
        if isinstance(one, str | bytes | int | float | type | None) or id(one) in seen:
            continue
        seen.add(id(one))
        todo.extend(_inside(path, one, found))
    return found


def _inside(path, one, found):
    if isinstance(one, ContextVar):
        return [(path, one.get(None))]
    if isinstance(one, WeakSet | WeakKeyDictionary | WeakValueDictionary):
        found[path] = found.get(path, 0) + len(one)
        return []
    if isinstance(one, SimpleQueue):
        found[path] = found.get(path, 0) + one.qsize()
        return []
    if isinstance(one, dict):
        found[path] = found.get(path, 0) + len(one)
        return [(f"{path}[]", inner) for inner in (*one.values(), *one.keys()) if not isinstance(inner, str)]
    if isinstance(one, list | tuple | set | frozenset | deque):
        found[path] = found.get(path, 0) + len(one)
        return [(f"{path}[]", inner) for inner in one]
    if hasattr(one, "cache_info"):
        found[path] = one.cache_info().currsize
        return []
    if isinstance(one, MethodType):
        return [(path, one.__self__)]
    if isinstance(one, FunctionType):
        return [(path, cell.cell_contents) for cell in one.__closure__ or () if _filled(cell)]
    if not type(one).__module__.startswith(PACKAGE):
        return []
    slots = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
    fields = {
        **getattr(one, "__dict__", {}),
        **{name: getattr(one, name) for name in slots if hasattr(one, name) and name != "__weakref__"},
    }
    return [(f"{path}.{name}", inner) for name, inner in fields.items()]


def _filled(cell):
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
