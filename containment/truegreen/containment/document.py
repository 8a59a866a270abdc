"""The flagd document: flags to JSON and back. Pure; who writes the file writes it atomically."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from truegreen.containment.model import NATURAL

SCHEMA = "https://flagd.dev/schema/v0/flags.json"


def document(flags: Mapping[str, str]) -> dict[str, Any]:
    """The flagd document in which each flag has the value given; an empty value is off."""
    made = {
        name: {
            "state": "ENABLED",
            "variants": {"off": "", **({"on": value} if value else {})},
            "defaultVariant": "on" if value else "off",
        }
        for name, value in sorted(flags.items())
    }
    return {"$schema": SCHEMA, "flags": made}


def read(document: Any) -> dict[str, str]:
    """The flags of a flagd document that are ours to read, by the string that says their value without targeting; a disabled one is off.

    Raises:
        ValueError: it is not a flagd document; the message says where, what was found and what to write instead.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("flags"), Mapping):
        raise ValueError(f'flags: found {type(document).__name__} without a mapping `flags`; write {{"flags": {{}}}}')  # noqa: TRY004
    found: dict[str, str] = {}
    for name, flag in document["flags"].items():
        if not isinstance(flag, Mapping) or not isinstance(flag.get("variants"), Mapping):
            raise ValueError(f"flags.{name}: found {flag!r}, expected state, variants and defaultVariant")  # noqa: TRY004
        variant = flag.get("defaultVariant")
        if variant is not None and variant not in flag["variants"]:
            raise ValueError(
                f"flags.{name}.defaultVariant: found {variant!r}, expected one of {', '.join(map(str, flag['variants']))}"
            )
        value = "" if variant is None or flag.get("state") == "DISABLED" else flag["variants"][variant]
        if isinstance(value, str):
            found[str(name)] = value
        elif value is False or type(value) in NATURAL.get(str(name), ()):
            found[str(name)] = "" if value is False else json.dumps(value)
    return found
