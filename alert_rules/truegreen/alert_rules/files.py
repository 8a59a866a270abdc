"""The calibration files of a folder."""

from __future__ import annotations

from pathlib import Path

from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import Calibration, CalibrationError, from_text


def calibrations(folder: Path) -> tuple[Calibration, ...]:
    """All calibrations in `*.json` of the folder, by service, environment and signal; none where there is no folder.

    Raises:
        BadInput: a file cannot be read or is not a calibration, or two speak of the same service, environment and signal.
    """
    found: dict[tuple[str, str, str], tuple[Path, Calibration]] = {}
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            made = from_text(path.read_text("utf-8"), str(path))
        except CalibrationError as error:
            raise BadInput(str(error)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{path}: cannot be read: {error}") from None
        key = (made.service, made.environment, made.signal)
        if key in found:
            raise BadInput(f"{path}: speaks of {' / '.join(key)} as {found[key][0]} does; remove one of them")
        found[key] = (path, made)
    return tuple(found[key][1] for key in sorted(found))
