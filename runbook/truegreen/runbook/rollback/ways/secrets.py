"""The API key of an index, from the file that the configuration names."""

from __future__ import annotations

from truegreen.core.clients import http
from truegreen.runbook.rollback.model import Place


def of_file(place: Place) -> str | None:
    """The key; None where no file is named.

    Raises:
        BadInput: it cannot be read or is empty.
    """
    name = f"incidents.rollback.{place.component}.secret"
    return http.secret(name, {f"{name}_FILE": str(place.way.secret_file)}) if place.way.secret_file else None
