"""Draw the README's pictures of boards: a real browser, the preview's page, the recorded incident of the demo (`make pictures`).

A picture has 256 colours, so that it is small, and carries a digest of what it shows, so that a test can say when it is stale.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import webdriver

from truegreen.core.config import parse_text
from truegreen.core.words import boards as uids
from truegreen.dashboards.preview import recording, server, site
from truegreen.dashboards.preview.recording import Recording

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "docs" / "pictures"
SHIPPED: Final = ROOT / "dashboards" / "truegreen" / "dashboards" / "preview" / "recorded.json.gz"
PICTURES: Final = {
    "overview.png": (uids.OVERVIEW, "light", "page"),
    "incident.png": (uids.INCIDENT, "dark", "page"),
    "versions.png": (uids.VERSIONS, "light", ""),
}
"""File to the board that it shows, its theme, and the mark soon after which it ends: what is said as of now is of that moment."""
LATER: Final = 8
"""Seconds after the mark: who was paged has opened the board, and nothing is contained yet."""
WIDTH: Final = 1280
LOWEST: Final = 1400
"""Pixels from the top: what lies below is not in the picture."""
KEYWORD: Final = b"truegreen"
_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
_COLOURS: Final = 256

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def shown() -> tuple[Recording, dict[str, Any]]:
    """The recording that is shipped and the boards on it, by uid."""
    found = recording.load(SHIPPED.read_bytes(), SHIPPED.name)
    return found, dict(
        site.generated(parse_text(json.dumps({"slos": list(found.slos)}), SHIPPED.name, {}, None), found.time_scale)
    )


def digest(found: Recording, board: Any) -> str:
    """Of all that a picture of a board shows: the board and what it was answered."""
    text = json.dumps([board, found.boards[board["uid"]], found.marks], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(png: bytes) -> str:
    """The digest that a picture carries; empty when it has none."""
    texts = (body.partition(b"\0") for kind, body in _chunks(png) if kind == b"tEXt")
    return next((text.decode() for keyword, _, text in texts if keyword == KEYWORD), "")


def between(found: Recording, until: str) -> str:
    """The range of the page: from the beginning to shortly after a mark, or to the end without one."""
    end = next((mark["at"] + LATER for mark in found.marks if mark["name"] == until), found.end)
    return f"from={1000 * found.start:.0f}&to={1000 * end:.0f}"


def drawn(window: webdriver.Browser, url: str, theme: str) -> bytes:
    """A PNG of a board from the top, all of its panels drawn."""
    window.theme(theme)
    window.open(url)
    window.whole(WIDTH)  # what lies below is drawn when it comes into view, and may move what stands above
    height = min(LOWEST, int(window.run("return document.documentElement.scrollHeight")))
    window.size(WIDTH, height)
    window.run("return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    window.until("document.documentElement.dataset.ready")
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
    return base64.b64decode(window.cdp("Page.captureScreenshot", format="png", optimizeForSpeed=True, clip=clip)["data"])


def small(png: bytes, said: str) -> bytes:
    """The PNG with a palette in place of full colours, and a text in it.

    The most frequent colours are kept; every other pixel takes the nearest of them.
    """
    pixels = _pixels(png)
    height, width, _ = pixels.shape
    packed = pixels.astype(np.uint32) @ np.array([65_536, 256, 1], dtype=np.uint32)
    colours, where, counts = np.unique(packed, return_inverse=True, return_counts=True)
    kept = np.sort(np.argsort(-counts, kind="stable")[:_COLOURS])
    rgb = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.int32)
    nearest = np.concatenate(
        [np.argmin(((part[:, None] - rgb[kept][None]) ** 2).sum(axis=2), axis=1) for part in np.array_split(rgb, 64)]
    )
    lines = np.zeros((height, width + 1), dtype=np.uint8)  # each begins with 0: no filter
    lines[:, 1:] = nearest[where.reshape(height, width)]
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = [
        (b"IHDR", head), (b"tEXt", KEYWORD + b"\0" + said.encode()), (b"PLTE", rgb[kept].astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""),
    ]  # fmt: skip
    return _MAGIC + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_MAGIC)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def _pixels(png: bytes) -> Pixels:
    # Height x width x 3, of an 8-bit PNG without interlacing (PNG specification, section 9: filters).
    chunks = list(_chunks(png))
    width, height, _, kind = struct.unpack(">IIBB", chunks[0][1][:10])
    size = {2: 3, 6: 4}[kind]
    lines = np.frombuffer(zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT")), np.uint8).reshape(
        height, -1
    )
    above = np.zeros((width, size), np.uint8)
    found = np.empty((height, width, size), np.uint8)
    for y, line in enumerate(lines):
        found[y] = above = _unfiltered(int(line[0]), line[1:].reshape(width, size), above)
    return found[:, :, :3]


def _unfiltered(how: int, line: Pixels, above: Pixels) -> Pixels:
    if how == 0:
        return line
    if how == 1:
        return np.cumsum(line, axis=0, dtype=np.uint8)
    if how == 2:
        return line + above
    made, left, corner = [], [0] * line.shape[1], [0] * line.shape[1]
    for here, up in zip(line.tolist(), above.tolist(), strict=True):
        guess = [(a + b) // 2 if how == 3 else _paeth(a, b, c) for a, b, c in zip(left, up, corner, strict=True)]
        left, corner = [(x + g) % 256 for x, g in zip(here, guess, strict=True)], up
        made.append(left)
    return np.array(made, np.uint8)


def _paeth(a: int, b: int, c: int) -> int:
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def main() -> None:
    """Draw them all."""
    found, boards = shown()
    said = "the recorded incident of `truegreen demo`"
    with server.serve(site.recorded(boards, found, said), 0) as listening, tempfile.TemporaryDirectory() as folder:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        with webdriver.browser(Path(folder)) as window:
            for name, (uid, theme, until) in PICTURES.items():
                png = drawn(window, f"http://{server.LOOPBACK}:{listening.server_port}/d/{uid}?{between(found, until)}", theme)
                picture = small(png, digest(found, boards[uid]))
                (FOLDER / name).write_bytes(picture)
                print(f"{FOLDER / name}: {len(picture) / 1000:.0f} kB (of {len(png) / 1000:.0f})")
        listening.shutdown()


if __name__ == "__main__":
    main()
