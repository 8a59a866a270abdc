"""`truegreen incident archive`: all that is known of an incident in one file, and whether such a file was altered."""

from __future__ import annotations

from pathlib import Path

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook.commands.common import Desk, desk, force_option, sure_one
from truegreen.runbook.commands.incident import incident
from truegreen.runbook.times import iso

_WRITTEN = "archive written"


@incident.command()
@click.argument("number", metavar="[ID]", required=False, type=click.IntRange(1))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.tar.gz")
@click.option(
    "--verify",
    "check",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE.tar.gz",
    help="Check an archive; exit 1 when it was altered.",
)
@force_option
@desk
def archive(desk: Desk, number: int | None, out: Path | None, check: Path | None, force: bool) -> None:
    """Log, evidence, snapshots, postmortem, drafts and decisions in one archive with the SHA-256 of each."""
    if (out is None) == (check is None):
        raise BadInput("write one of --out FILE.tar.gz and --verify FILE.tar.gz")
    if check is not None:
        _verify(desk, check)
    elif out is not None:
        _write(desk, number, out, force=force)


def _verify(desk: Desk, path: Path) -> None:
    from truegreen.runbook import freeze

    wrong = freeze.verify(path)
    if wrong:
        raise Failed(f"{path}: {'; '.join(wrong)}")
    desk.say(
        (f"{path}: every part is as its manifest says; compare the archive's SHA-256 with the log's: {_digest(path)}",),
        {"file": str(path), "ok": True, "sha256": _digest(path)},
    )


def _write(desk: Desk, number: int | None, out: Path, *, force: bool) -> None:
    from truegreen.runbook import archive as packing
    from truegreen.runbook import log as store
    from truegreen.runbook import render, written
    from truegreen.runbook.commands.postmortem import gathered
    from truegreen.runbook.law import drafts

    log = desk.log()
    one = sure_one(desk, log, number)
    context, now = gathered(desk, log, one, 1), desk.clock()
    told, law = store.events(log, one.id), desk.config.incidents.law
    pages = {"postmortem.md": render.postmortem(context), "postmortem.html": render.html(context)}
    pages |= {f"draft-{kind}.md": drafts.draft(kind, one, told, law, now) for kind in drafts.KINDS}
    made, missing = packing.parts(one, told, Path(desk.config.incidents.evidence), pages)
    missing = (*missing, *context["missing"])
    head = store.head(log)
    before = {str(e.data.get("sha256")) for e in store.events(log) if e.kind == _WRITTEN}
    written.data(out, packing.pack(one, made, missing, head, iso(now)), force=force, known=before)
    digest = _digest(out)
    store.append(log, one.id, now, "review", _WRITTEN, f"archive {out.name}: sha256 {digest}",
                 {"file": out.name, "sha256": digest, "log_head": head, "missing": list(missing)})  # fmt: skip
    desk.say(
        (
            f"{out}: {len(made)} files, sha256 {digest}",
            *(f"missing: {one}" for one in missing),
            f"check it: truegreen incident archive --verify {out}",
        ),
        {"incident": one.id, "out": str(out), "sha256": digest, "files": sorted(made), "missing": list(missing)},
    )


def _digest(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
