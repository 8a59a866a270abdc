"""What options of commands about sets have in common."""

from __future__ import annotations

import click


def share(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """A share above 0, to 1, from `95%` or `0.95`; None where there is no value."""
    if value is None:
        return None
    try:
        found = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
    except ValueError:
        found = -1.0
    if not 0 < found <= 1:
        raise click.BadParameter(f"found {value!r}, write a share such as 95%", ctx, param)
    return found
