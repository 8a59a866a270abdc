"""Where files are kept: a local folder, or any address that fsspec knows. A file that is there is never written again."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from truegreen.core.errors import BadInput, Failed


def listed(address: str) -> list[str]:
    """The names of the files directly in a place, sorted; none where there is no such place.

    Raises:
        BadInput: an address that fsspec does not know.
        Failed: it cannot be read.
    """
    if "://" not in address:
        try:
            return sorted(one.name for one in Path(address).iterdir() if one.is_file())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Failed(f"{address}: cannot be read: {error.strerror or error}") from None
    system, root = _system(address)
    try:
        system.invalidate_cache()
        return sorted(one["name"].rstrip("/").rpartition("/")[2] for one in system.ls(root, detail=True) if one["type"] == "file")
    except FileNotFoundError:
        return []
    except Exception as error:  # every driver has its own exceptions
        raise Failed(f"{_bare(address)}: cannot be read: {_short(error)}") from None


def read(address: str, name: str) -> bytes:
    """A file's bytes.

    Raises:
        BadInput: there is no such file.
        Failed: it cannot be read.
    """
    where = at(address, name)
    try:
        if "://" not in address:
            return (Path(address) / name).read_bytes()
        system, root = _system(address)
        found: bytes = system.cat_file(f"{root}/{name}")
    except FileNotFoundError:
        raise BadInput(f"{where}: there is no such file") from None
    except (BadInput, Failed):
        raise
    except Exception as error:  # every driver has its own exceptions
        raise Failed(f"{where}: cannot be read: {_short(error)}") from None
    return found


def create(address: str, name: str, content: bytes) -> bool:
    """Write a file, whole or not at all; False where one of that name is there already, which stays as it is.

    Raises:
        Failed: it cannot be written (no permission, disk full).
    """
    try:
        if "://" not in address:
            return _create_local(Path(address), name, content)
        system, root = _system(address)
        system.makedirs(root, exist_ok=True)
        if system.exists(f"{root}/{name}"):
            return False
        _pipe(system, f"{root}/{name}", content)
    except FileExistsError:
        return False
    except (BadInput, Failed):
        raise
    except Exception as error:  # every driver has its own exceptions
        raise Failed(f"{at(address, name)}: cannot be written: {_short(error)}") from None
    return True


def at(address: str, name: str) -> str:
    """Where a file is, for a message: never a password."""
    return f"{_bare(address).rstrip('/')}/{name}"


def _create_local(folder: Path, name: str, content: bytes) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise Failed(f"{folder}: is a file; name a folder") from None
    handle, made = tempfile.mkstemp(dir=folder, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(made).chmod(0o644)
        try:
            (folder / name).hardlink_to(made)  # fails where the name is taken, and is never seen half written
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if (folder / name).exists():
                return False
            Path(made).replace(folder / name)
    finally:
        Path(made).unlink(missing_ok=True)
    return True


def _pipe(system: Any, path: str, content: bytes) -> None:
    try:
        system.pipe_file(path, content, mode="create")
    except (NotImplementedError, TypeError, ValueError):  # a driver that knows no such mode
        system.pipe_file(path, content)


def _system(address: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError:
        raise BadInput(f"{_bare(address)}: needs fsspec; pip install 'truegreen[evaluate]'") from None
    try:
        system, root = fsspec.core.url_to_fs(address)
    except (ValueError, ImportError) as error:
        raise BadInput(f"{_bare(address)}: {_short(error)}; write a folder, or an address that fsspec knows") from None
    return system, root.rstrip("/")


def _bare(address: str) -> str:
    scheme, mark, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else address


def _short(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__).splitlines()[0][:200]
