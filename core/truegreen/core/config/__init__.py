"""`truegreen.yaml` to a model: environment over file over default, with line-true errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from truegreen.core.config.model import Config
from truegreen.core.errors import BadInput

DEFAULT_FILE = "truegreen.yaml"

__all__ = ["DEFAULT_FILE", "Config", "load", "parse_text"]


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read the configuration.

    Args:
        path: the file; None takes `./truegreen.yaml` where it exists, else the defaults.
        environ: `TRUEGREEN_*` variables in it win over the file.

    Raises:
        BadInput: the file cannot be read or does not fit the schema; one line for every error.
    """
    if path is None:
        default = Path(DEFAULT_FILE)
        if not default.exists():
            return parse_text("", "defaults", environ, None)
        path = default
    if path.suffix == ".json":
        raise BadInput(
            f"{path}: is what `truegreen generate app` wrote for the application; name the truegreen.yaml it was made from: --config FILE"
        )
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}:1: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from None
    return parse_text(text, str(path), environ, path)


def parse_text(text: str, name: str, environ: Mapping[str, str], path: Path | None) -> Config:
    """The configuration in `text`; `name` is what errors call it."""
    from truegreen.core.config import build, check, source

    read = source.parse(text, name)
    if read.data is None:
        read = source.Source(name, {}, read.lines)
    check.validate(read, check.schema())
    merged = check.overridden(read.data, environ, check.schema())
    if merged != read.data:
        read = source.Source(f"{name} with TRUEGREEN_* variables", merged, read.lines)
        check.validate(read, check.schema())
    return build.config(source.Source(read.name, check.filled(read.data, check.schema()), read.lines), path)
