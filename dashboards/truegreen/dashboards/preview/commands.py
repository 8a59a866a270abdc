"""`truegreen dashboard preview`: parse, serve, print."""

from __future__ import annotations

import json
import os
import threading
import webbrowser
from contextlib import ExitStack
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from truegreen.core import config
from truegreen.core.clients import http, interrupts, prometheus
from truegreen.core.config import Config
from truegreen.core.errors import BadInput, Failed
from truegreen.core.options import config_option, json_option
from truegreen.dashboards.preview import recording, server, site
from truegreen.dashboards.preview.proxy import Upstream

PORT: Final = 9466
SHIPPED: Final = "recorded.json.gz"
_ANSWER_SECONDS: Final = 10.0
_HINT: Final = "start it, name another with --prometheus-url, or see the shipped incident with --recording shipped"


@click.command("preview")
@click.option(
    "--prometheus-url", metavar="URL", help="The Prometheus to ask (default: incidents.prometheus_url where it answers)."
)
@click.option(
    "--recording", "recorded", metavar="FILE", help="Show a recorded incident instead; `shipped` is the one of the demo."
)
@click.option(
    "--boards",
    "own",
    type=click.Path(path_type=Path, exists=True),
    metavar="DIR|FILE",
    help="Dashboards of your own, as JSON (default: the generated ones).",
)
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=PORT, show_default=True, help="Port of the loopback; 0 is a free one."
)
@click.option(
    "--time-scale", type=click.IntRange(1, 60), default=1, show_default=True, help="Divide every window, as the demo does."
)
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
@config_option
@json_option
def preview(
    prometheus_url: str | None, recorded: str | None, own: Path | None, port: int, time_scale: int, show: bool, config_path: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Show the boards in a browser without Grafana, on the loopback; Ctrl-C ends it."""
    if prometheus_url and recorded:
        raise BadInput("--prometheus-url and --recording exclude each other: the data come from one of them")
    read = config.load(config_path, os.environ)
    with interrupts.raised(), ExitStack() as stack:
        try:
            what, why = _site(stack, read, prometheus_url, recorded, own, time_scale)
            listening = stack.enter_context(server.serve(what, port))
            address = f"http://{server.LOOPBACK}:{listening.server_port}"
            first = f"{address}/d/{next(iter(what.boards))}"
            click.echo(json.dumps({"url": address, "first": first, "mode": what.about["mode"], "source": what.about["source"]}) if as_json
                       else f"preview   {first}\ndata      {why}\nCtrl-C ends it")  # fmt: skip
            if show:
                # Some browsers are waited for, and this one waits for us.
                threading.Thread(target=webbrowser.open, args=(first,), daemon=True).start()
            listening.serve_forever()
        except KeyboardInterrupt:
            return


def _site(
    stack: ExitStack, read: Config, url: str | None, recorded: str | None, own: Path | None, time_scale: int
) -> tuple[server.Site, str]:
    # What is shown, and in words where the data come from.
    if recorded:
        return _recorded(recorded, own)
    asked = url or read.incidents.prometheus_url
    upstream = replace(prometheus.connect(asked, hint=_HINT), timeout=_ANSWER_SECONDS)
    try:
        prometheus.query(replace(upstream, timeout=2.0), "vector(1)")
    except Failed as error:
        if url:
            raise
        silent = "refuses" if isinstance(error, http.HttpFailed) else "does not answer"
        return _recorded("shipped", own, f", as {http.bare(asked)} {silent}: name a Prometheus with --prometheus-url")
    client = stack.enter_context(http.client(upstream))
    shown = site.own(own) if own else site.generated(read, time_scale)
    return site.live(read, time_scale, shown, Upstream(upstream, client)), f"Prometheus at {http.bare(asked)}"


def _recorded(name: str, own: Path | None, why: str = "") -> tuple[server.Site, str]:
    if name == "shipped":
        shipped = files(__package__).joinpath(SHIPPED)
        if not shipped.is_file():
            raise Failed("no recorded incident is shipped with this version: name a Prometheus with --prometheus-url")
        data, said = shipped.read_bytes(), "the recorded incident of `truegreen demo`"
    else:
        try:
            data, said = Path(name).read_bytes(), f"the recording {name}"
        except OSError as error:
            raise BadInput(f"--recording: {name} cannot be read: {error.strerror}") from None
    found = recording.load(data, name)
    # The boards of the recorded service: the user's own configuration speaks of another.
    theirs = config.parse_text(json.dumps({"slos": list(found.slos)}), name, {}, None)
    shown = site.own(own) if own else site.generated(theirs, found.time_scale)
    return site.recorded(shown, found, said + why), said + why
