"""The README's pictures of boards: small, and never of something else than what is shipped."""

from __future__ import annotations

import base64

import numpy as np
import pictures

from truegreen.dashboards.preview.recording import Recording

PAGE = """data:text/html,<body style="margin:0;background:linear-gradient(90deg,red,lime,blue)">
<div style="width:90px;height:90px;background:rgb(1,2,3)"></div><h1 style="color:white">some text</h1>"""
SEEN = """
const image = new Image(); image.src = arguments[0];
return image.decode().then(() => {
  const canvas = document.createElement("canvas"); [canvas.width, canvas.height] = [image.width, image.height];
  const drawn = canvas.getContext("2d"); drawn.drawImage(image, 0, 0);
  return [image.width, image.height, ...[[10, 10], [299, 150]].map(([x, y]) => [...drawn.getImageData(x, y, 1, 1).data])];
});"""


def test_a_picture_with_a_palette_looks_the_same_and_carries_its_digest(browser):
    """A browser reads it: what is frequent is exact, the rest is near; thousands of colours become 256."""
    browser.open(PAGE)
    browser.size(300, 200)
    png = browser.screenshot()
    made = pictures.small(png, "abc")
    assert pictures.digest_of(made) == "abc"
    assert pictures.digest_of(png) == ""
    browser.open("about:blank")
    width, height, box, edge = browser.run(SEEN, f"data:image/png;base64,{base64.b64encode(made).decode()}")
    assert (width, height, box) == (300, 200, [1, 2, 3, 255])
    assert edge[2] > 230
    assert edge[0] < 25


def test_a_picture_ends_while_it_burns():
    """As of now, everything is green again at the end of an incident: that is not what a picture is for."""
    mark = {"at": 100.5, "name": "page", "text": ""}
    found = Recording("", 10.0, 200.0, 1.0, 60, (mark,), (), {})
    assert pictures.between(found, "page") == "from=10000&to=108500"
    assert pictures.between(found, "") == "from=10000&to=200000"


def test_every_filter_of_png_is_undone():
    """Those of the specification, section 9, against rows that are known."""
    random = np.random.default_rng(7)
    above, line = random.integers(0, 256, (2, 50, 3), dtype=np.uint8)
    left = np.vstack([np.zeros((1, 3), np.uint8), line[:-1]])
    corner = np.vstack([np.zeros((1, 3), np.uint8), above[:-1]])
    a, b, c = (part.astype(int) for part in (left, above, corner))
    p = a + b - c
    paeth = np.where((abs(p - a) <= abs(p - b)) & (abs(p - a) <= abs(p - c)), a, np.where(abs(p - b) <= abs(p - c), b, c))
    for how, guess in enumerate((a * 0, a, b, (a + b) // 2, paeth)):
        filtered = ((line.astype(int) - guess) % 256).astype(np.uint8)
        assert (pictures._unfiltered(how, filtered, above) == line).all(), how


def test_the_pictures_show_what_is_shipped():
    """A board or an incident that was changed has another picture."""
    found, boards = pictures.shown()
    stale = [
        name
        for name, (uid, *_) in pictures.PICTURES.items()
        if pictures.digest_of((pictures.FOLDER / name).read_bytes()) != pictures.digest(found, boards[uid])
    ]
    assert stale == [], "run: make pictures"
