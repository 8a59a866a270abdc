"""The calibration files of a folder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from truegreen.core.config.collected import Errors
from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import Calibration, CalibrationError, from_text


def calibrations(folder: Path) -> tuple[Calibration, ...]:
    """All calibrations in `*.json` of the folder, by service, environment and signal; none where there is no folder.

    Raises:
        BadInput: files cannot be read or are no calibrations, or two speak of the same service, environment and signal; one line for each.
    """
    errors = Errors()
    found = read(folder, errors)
    errors.end()
    return tuple(found.values())


def read(folder: Path, errors: Errors) -> Mapping[Path, Calibration]:
    """As `calibrations`, by their files; what is wrong is kept in `errors`, and the rest is read all the same."""
    found: dict[tuple[str, str, str], tuple[Path, Calibration]] = {}
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        made = errors.tried(partial(_read, path))
        if made is None:
            continue
        key = (made.service, made.environment, made.signal)
        if key in found:
            errors.append(f"{path}: speaks of {' / '.join(key)} as {found[key][0]} does; remove one of them")
        else:
            found[key] = (path, made)
    return {found[key][0]: found[key][1] for key in sorted(found)}


def _read(path: Path) -> Calibration:
    try:
        return from_text(path.read_text("utf-8"), str(path))
    except CalibrationError as error:
        raise BadInput(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from None
