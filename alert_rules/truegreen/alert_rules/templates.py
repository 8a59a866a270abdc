"""`truegreen.tmpl`: the notification that somebody reads at 3 AM. Alertmanager cannot query: all of it comes from what the alerts carry.

Only functions that Alertmanager 0.25 has are used. It has none to count or to cut a list, so a text that grows by one character a turn counts.
"""

from __future__ import annotations

from typing import Final

NAME: Final = "truegreen.tmpl"
MOST: Final = 5
"""Alerts of a group that are named one by one."""
TRACES: Final = (1, 2, 3)
_LENGTHS: Final = {
    "summary": 300,
    "description": 1_500,
    "hypotheses": 1_000,
    "trace_links": 1_500,
    "dashboard_url": 1_000,
    "runbook_url": 1_000,
    "next": 500,
}
"""Characters of an annotation that are printed: with the other alerts' lines, the whole stays under Opsgenie's 15,000."""
_LABEL: Final = 100
_RANKS: Final = 'stringSlice "^1$" "^2$" "^3$" "^[^123]|^$"'
"""What a sev looks like, worst first."""
_SLACK_ESCAPES: Final = ' | reReplaceAll "&" "&amp;" | reReplaceAll "<" "&lt;" | reReplaceAll ">" "&gt;"'
"""https://docs.slack.dev/messaging/formatting-message-text: without them a name may hold `<!channel>` and wake everybody."""
_LINK_ESCAPES: Final = ' | reReplaceAll "[|]" "%7C"'


def called(name: str) -> str:
    """The call of one of the file's templates, for a receiver's configuration."""
    return f'{{{{ template "truegreen.{name}" . }}}}'


def text() -> str:
    """The file."""
    traces = {f"trace{number}": _worst(_nth_trace(number)) for number in TRACES}
    defined = {
        "title": _title(""),
        "text": _text(""),
        "resolved": _resolved(""),
        "slack.title": _title(_SLACK_ESCAPES),
        "slack.text": _text(_SLACK_ESCAPES),
        "slack.color": _by_sev(".Alerts.Firing", "danger", "warning", "#439FE0", "good"),
        "pagerduty.severity": _by_sev(".Alerts", "critical", "warning", "info", "info"),
        "opsgenie.priority": _by_sev(".Alerts", "P1", "P2", "P4", "P4"),
        "source": _worst(f"{_label('service')}/{_label('environment')}"),
        "mode": _worst(_label("failure_mode")),
        "suspect": _worst(_suspect("")),
        "traces": _worst(_traces("")),
        "board": _worst(_annotation("dashboard_url")),
        "runbook": _worst(_annotation("runbook_url")),
        "next": _worst(_annotation("next")),
        **traces,
    }
    head = "{{/* Written by `truegreen generate rules`; do not edit. In alertmanager.yml: templates: [truegreen.tmpl], a path beside that file. */}}"
    return "\n".join([head, *(f'{{{{ define "truegreen.{name}" }}}}{body}{{{{ end }}}}' for name, body in defined.items()), ""])


def _annotation(name: str, escapes: str = "", filters: str = "") -> str:
    # `%.9s` cuts after characters, not bytes.
    return f'{{{{ .Annotations.{name}{filters} | printf "%.{_LENGTHS[name]}s"{escapes} }}}}'


def _label(name: str, escapes: str = "") -> str:
    return f'{{{{ .Labels.{name} | printf "%.{_LABEL}s"{escapes} }}}}'


def _summary(escapes: str = "") -> str:
    # An alert of somebody's own, or a test by hand, may have none.
    where = f"{{{{ with .Labels.service }}}}: {_dot(escapes)}{{{{ end }}}}{{{{ with .Labels.environment }}}} in {_dot(escapes)}{{{{ end }}}}"
    return f"{{{{ if .Annotations.summary }}}}{_annotation('summary', escapes)}{{{{ else }}}}{_label('alertname', escapes)}{where}{{{{ end }}}}"


def _kind(escapes: str) -> str:
    return f"{_sev()}{{{{ with .Labels.failure_mode }}}} {_dot(escapes)}{{{{ end }}}}"


def _where(name: str, said: str) -> str:
    return f"{{{{ if .Annotations.{name} }}}}{said}{{{{ end }}}}"


def _worst(body: str, alerts: str = ".Alerts") -> str:
    # The first alert of the worst sev; of `.Alerts`, one that fires before one that is over.
    chosen = (
        "{{ $all := .Alerts.Firing }}{{ if not $all }}{{ $all = .Alerts }}{{ end }}"
        if alerts == ".Alerts"
        else f"{{{{ $all := {alerts} }}}}"
    )
    first = f'{{{{ if and (eq $done "") (match $rank .Labels.sev) }}}}{{{{ $done = "x" }}}}{body}{{{{ end }}}}'
    return f'{chosen}{{{{ $done := "" }}}}{{{{ range $rank := {_RANKS} }}}}{{{{ range $all }}}}{first}{{{{ end }}}}{{{{ end }}}}'


def _by_sev(alerts: str, page: str, notify: str, ticket: str, other: str) -> str:
    chosen = (
        f'{{{{ if eq .Labels.sev "1" }}}}{page}{{{{ else if eq .Labels.sev "2" }}}}{notify}{{{{ else }}}}{ticket}{{{{ end }}}}'
    )
    return f"{_worst(chosen, alerts)}{{{{ if not {alerts} }}}}{other}{{{{ end }}}}"


def _sev() -> str:
    return '{{ if match "^[123]$" .Labels.sev }}SEV{{ .Labels.sev }}{{ else }}INFO{{ end }}'


def _subject(escapes: str) -> str:
    # What is over is named, not described: its summary says that it burns.
    about = f"{_label('slo', escapes)} of {_label('service', escapes)} in {_label('environment', escapes)}"
    return f'{_label("alertname", escapes)}{{{{ if match "^(|none)$" .Labels.slo }}}}{{{{ with .Labels.service }}}}: {_dot(escapes)}{{{{ end }}}}{{{{ else }}}}: {about}{{{{ end }}}}'


def _dot(escapes: str) -> str:
    return f'{{{{ . | printf "%.{_LABEL}s"{escapes} }}}}'


def _lasted() -> str:
    # In whole seconds.
    return "{{ (.EndsAt.Sub .StartsAt).Truncate 1000000000 }}"


def _title(escapes: str) -> str:
    more = '{{ $left := "" }}{{ range $index, $each := .Alerts.Firing }}{{ if $index }}{{ $left = printf "%sx" $left }}{{ end }}{{ end }}{{ if $left }} (+{{ len $left }} more){{ end }}'
    firing = _worst(f"[{_sev()}] {_summary(escapes)}", ".Alerts.Firing") + more
    return f"{{{{ if .Alerts.Firing }}}}{firing}{{{{ else }}}}{_worst(f'[RESOLVED] {_subject(escapes)}, after {_lasted()}')}{{{{ end }}}}"


def _suspect(escapes: str) -> str:
    # The first of `1. one (us); 2. another (them)`.
    return _annotation("hypotheses", escapes, ' | reReplaceAll `; 2\\. (?s:.*)$` "" | reReplaceAll `^1\\. ` ""')


def _traces(escapes: str) -> str:
    return _annotation("trace_links", escapes, " | reReplaceAll `^\\s*(\\S+(?:\\s+\\S+){0,2})(?s:.*)$` `$1`")


def _nth_trace(number: int) -> str:
    # A bare id is no link.
    pattern = f"`^\\s*(?:\\S+\\s+){{{number - 1}}}(https?://\\S+)(?s:.*)$`"
    return f"{{{{ if match {pattern} .Annotations.trace_links }}}}{{{{ reReplaceAll {pattern} `$1` .Annotations.trace_links }}}}{{{{ end }}}}"


def _alert(escapes: str) -> str:
    slack = bool(escapes)

    def link(name: str, title: str) -> str:
        return _where(
            name, f"\n<{_annotation(name, escapes + _LINK_ESCAPES)}|{title}>" if slack else f"\n{title}: {_annotation(name)}"
        )

    def bold(said: str) -> str:
        return f"*{said}*" if slack else said

    # A command that holds the sign which ends Slack's code is shown with another.
    command = _annotation("next", escapes + ' | reReplaceAll "\\x60" "\'"' if slack else "")
    return "".join(
        (
            bold(_kind(escapes)), f": {_summary(escapes)}",
            _where("description", f"\n{bold('Evidence')}: {_annotation('description', escapes)}"),
            _where("hypotheses", f"\n{bold('First suspect')}: {_suspect(escapes)}"),
            _where("trace_links", f"\n{bold('Failing traces')}: {_traces(escapes)}"),
            link("dashboard_url", "Board"), link("runbook_url", "Runbook"),
            _where("next", f"\n{bold('Next')}: " + (f"`{command}`" if slack else command)),
            f"{{{{ with .Labels.owner }}}}\n{bold('Owner')}: {_dot(escapes)}{{{{ end }}}}",
        )
    )  # fmt: skip


def _line(escapes: str) -> str:
    said = f"\n- {_kind(escapes)}: {_summary(escapes)}"
    return said + _where("next", f". Next: {_annotation('next', escapes)}")


def _counted(alerts: str, first: str, other: str) -> str:
    # Worst first: `first` for the first, `other` for those after it, and how many more there are.
    one = f'{{{{ if eq (len $n) 0 }}}}{first}{{{{ else if lt (len $n) {MOST} }}}}{other}{{{{ else }}}}{{{{ $left = printf "%sx" $left }}}}{{{{ end }}}}'
    turn = f'{{{{ if match $rank .Labels.sev }}}}{one}{{{{ $n = printf "%sx" $n }}}}{{{{ end }}}}'
    more = "{{ if $left }}\nand {{ len $left }} more{{ end }}"
    return f'{{{{ $n := "" }}}}{{{{ $left := "" }}}}{{{{ range $rank := {_RANKS} }}}}{{{{ range {alerts} }}}}{turn}{{{{ end }}}}{{{{ end }}}}{more}'


def _resolved(escapes: str) -> str:
    one = f'- {_subject(escapes)}: resolved at {{{{ .EndsAt.UTC.Format "2006-01-02 15:04" }}}} UTC, after {_lasted()}'
    return _counted("$.Alerts.Resolved", one, f"\n{one}")


def _text(escapes: str) -> str:
    return f"{_counted('$.Alerts.Firing', _alert(escapes), _line(escapes))}{{{{ if and .Alerts.Firing .Alerts.Resolved }}}}\n\n{{{{ end }}}}{_resolved(escapes)}"
