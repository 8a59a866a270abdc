"""How the C library keeps memory: a request's buffers come again every few milliseconds, and should not be fetched from the kernel each time."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

MIB: Final = 1 << 20
SETTINGS: Final = ((-3, 4 * MIB), (-1, 32 * MIB))
"""glibc's M_MMAP_THRESHOLD and M_TRIM_THRESHOLD (malloc.h): buffers under 4 MiB are kept, and at most 32 MiB that nobody uses."""


def keep_buffers() -> bool:
    """Tell glibc so; False where there is another C library, and nothing is changed."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018  # another C library has none, and may have a mallopt of its own
        return all(libc.mallopt(name, size) == 1 for name, size in SETTINGS)
    except (OSError, AttributeError):
        return False
