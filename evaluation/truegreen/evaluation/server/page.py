"""The page that explains the addresses: written from the OpenAPI description, without a script or a font of anybody else."""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

_SCRIPT: Final = """
for (const form of document.forms) form.addEventListener("submit", async event => {
  event.preventDefault();
  const headers = {"Content-Type": "application/json"}, token = document.getElementById("token");
  if (token && token.value) headers.Authorization = "Bearer " + token.value;
  const out = form.querySelector("output");
  try {
    const answer = await fetch(form.dataset.path, {method: "POST", headers, body: form.elements.body.value});
    out.textContent = answer.status + " " + await answer.text();
  } catch (error) { out.textContent = String(error); }
});
"""
_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark; }
pre, textarea, output { font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; display: block; }
textarea { width: 100%; box-sizing: border-box; }
table { border-collapse: collapse; font-size: 14px; } td, th { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; }
"""


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}


def examples(described: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Each address that takes items, with what it is for and an example of a body.

    Args:
        described: the OpenAPI description.
    """
    for path, methods in described["paths"].items():
        if "post" not in methods or "requestBody" not in methods["post"]:
            continue
        content = methods["post"]["requestBody"]["content"].get("application/json", {})
        shown = [content["example"]] if "example" in content else _resolved(content.get("schema", {}), described).get("examples")
        if shown:
            yield path, methods["post"]["summary"], shown[0]


def html(described: Mapping[str, Any], base: str, *, guarded: bool) -> str:
    """The page.

    Args:
        base: the address under which the reader has reached it.
        guarded: a token is asked for.
    """
    info = described["info"]
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(info['title'])}</title><style>{_STYLE}</style>",
        f"<h1>{escape(info['title'])}</h1><p>{escape(info['description'])} <a href='openapi.json'>OpenAPI</a>.</p>",
        "<p><label>Token for the examples below: <input id='token' type='password' autocomplete='off'></label></p>"
        if guarded
        else "",
    ]
    for path, says, example in examples(described):
        body = json.dumps(example, indent=2, ensure_ascii=False)
        said = described["paths"][path]["post"]
        signed = [one["name"] for one in said.get("parameters", ()) if one["in"] == "header" and one.get("required")]
        asked = [f"{name}: {name.upper()}" for name in signed] or (["Authorization: Bearer TOKEN"] if guarded else [])
        header = "".join(f" -H {shlex.quote(one)}" for one in asked)
        command = (
            f"curl -sS {base.rstrip('/')}{path} -H 'Content-Type: application/json'{header} -d {shlex.quote(json.dumps(example))}"
        )
        schema = said["requestBody"]["content"]["application/json"]["schema"]
        parts += [
            f"<h2>POST {escape(path)}</h2><p>{escape(says)}{': sign it, by the Standard Webhooks specification' if signed else ''}.</p>",
            "<table><tr><th>key<th>type<th>what it is", *_rows(_resolved(schema, described), described, ""), "</table>",
            f"<pre>{escape(command)}</pre>",
            (f"<form data-path='{escape(path.lstrip('/'))}'><textarea name='body' rows='8' spellcheck='false'>{escape(body)}</textarea>"
            "<button>Send it</button><output></output></form>") if not signed else "",
        ]  # fmt: skip
    return "\n".join([*parts, f"<script>{_SCRIPT}</script></html>"])


def _rows(schema: Mapping[str, Any], described: Mapping[str, Any], above: str) -> Iterator[str]:
    for name, said in schema.get("properties", {}).items():
        plain = next((one for one in said.get("anyOf", ()) if one.get("type") != "null"), said)
        inner = _resolved(plain.get("items", plain), described)
        kind = "list of " if plain.get("type") == "array" else ""
        kind += inner.get("type", "") if "enum" not in inner else " | ".join(inner["enum"])
        needed = " (needed)" if name in schema.get("required", ()) else ""
        yield f"<tr><td>{escape(above + name)}<td>{escape(kind)}{needed}<td>{escape(said.get('description', ''))}"
        if "properties" in inner:
            yield from _rows(inner, described, f"{above}{name}.")


def _resolved(schema: Mapping[str, Any], described: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "")
    found: Mapping[str, Any] = described["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema
    return found
