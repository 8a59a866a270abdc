"""The root command. Sub-commands come from the entry-point group `truegreen_command` and are loaded when used."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.core.words.commands import COMMANDS

GROUP = "truegreen_command"


@cache
def _points() -> tuple[EntryPoint, ...]:
    # Every installed distribution is asked, which a group below the root need not do again.
    return tuple(entry_points(group=GROUP))


class Lazy(click.Group):
    """A group whose commands are entry points below a dotted prefix, listed by name and loaded when invoked."""

    def __init__(self, prefix: str = "", **attributes: Any) -> None:
        super().__init__(**attributes)
        self.prefix = prefix

    def _found(self) -> dict[str, EntryPoint | None]:
        found: dict[str, EntryPoint | None] = {}
        for point in _points():
            if point.name.startswith(self.prefix):
                first, _, below = point.name.removeprefix(self.prefix).partition(".")
                found.setdefault(first, None if below else point)
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands; no plugin is imported."""
        return sorted({*self.commands, *self._found()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command from its plugin."""
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        found = self._found()
        if cmd_name not in found:
            return None
        point = found[cmd_name]
        if point is None:
            name = f"{self.prefix}{cmd_name}"
            return Lazy(f"{name}.", name=cmd_name, help=COMMANDS.get(name.replace(".", " "), ""))
        try:
            loaded: click.Command = point.load()
        except ModuleNotFoundError as error:
            raise Failed(_missing(point, error)) from None
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table of words, so that help imports nothing."""
        found = self._found()
        rows = []
        for name in self.list_commands(ctx):
            point = found.get(name)
            known = COMMANDS.get(f"{self.prefix}{name}".replace(".", " "))
            rows.append((name, known or (f"(from {point.dist.name})" if point and point.dist else "")))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _missing(point: EntryPoint | None, error: ModuleNotFoundError) -> str:
    command = f"truegreen {point.name.replace('.', ' ')}" if point else "truegreen"
    extra = ",".join(point.extras) if point else ""
    return f"`{command}` needs the package {error.name or error}; run: pip install 'truegreen[{extra or 'all'}]'"


def _asked(given: Sequence[str]) -> EntryPoint | None:
    """The command that the arguments name; options come after it."""
    names = {point.name: point for point in _points()}
    return next((names[name] for end in range(len(given), 0, -1) if (name := ".".join(given[:end])) in names), None)


def _generate() -> click.Command | None:
    from truegreen.core.generate import generate

    return generate


class Root(Lazy):
    """The root: as `Lazy`, with `generate`, which core has itself."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted({*super().list_commands(ctx), "generate"})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        return _generate() if cmd_name == "generate" else super().get_command(ctx, cmd_name)


@click.command(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("truegreen"), prog_name="truegreen")
def root() -> None:
    """Make green mean green: the behavioural layer of observability for LLM features."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave with its exit code: 0 done, 1 the answer is no, 2 usage or bad input."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = root.main(args=given, prog_name="truegreen", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        _say(given, "interrupted", 1)
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and "--json" not in given:
            error.show()
            sys.exit(2)
        _say(given, error.format_message(), 2)
    except BadInput as error:
        _say(given, str(error), 2)
    except Failed as error:
        _say(given, str(error), 1, error.facts)
    except ModuleNotFoundError as error:  # the command was loaded, and imports more when it runs
        _say(given, _missing(_asked(given), error), 1)
    except BrokenPipeError:
        _unread()
        sys.exit(0)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        _say(given, f"{error.filename}: {reason}" if error.filename else reason, 1)


def _unread() -> None:
    # Nobody reads what is printed, as after `| head`; Python would say so once more when it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(given: Sequence[str], message: str, code: int, facts: Mapping[str, object] | None = None) -> None:
    if "--json" in given:
        try:
            click.echo(json.dumps({**(facts or {}), "error": message, "exit_code": code}))
        except BrokenPipeError:
            _unread()
    click.echo(f"{click.style('error', fg='red')}: {message}", err=True)
    sys.exit(code)
