"""Panels of the versions board."""

from __future__ import annotations

from truegreen.core.words import catalogue as c
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows, symptoms
from truegreen.dashboards.model import Expression, Tile, View, Where

_BAD: Where = {"result": "fail"}
_OTHERS = ("eval_dataset_version", "provider_changelog_version")
"""What serves no traffic: no part of a snapshot's identity, so it comes from the info gauge alone."""


def serving() -> Tile:
    """What served when, all seven components."""
    return kit.timeline("What served when", *((_line(label), e.serving(label)) for label in e.VERSIONS), *((_line(label), _info(label)) for label in _OTHERS),
                           height=10, why="A band for each version while it answers; the set of evaluation questions and the provider's changelog as they were last seen.")  # fmt: skip


def ours(view: View) -> tuple[Tile, ...]:
    """Since when each version of ours serves, and how it does."""
    judged = symptoms.answers(view)
    apart = rows.apart(judged)
    return (
        rows.since(),
        *(kit.graph(f"Ungrounded by {rows.VERSIONS[label].lower()}", (rows.lead(label, (*rows.WHO, *apart)), e.by_version(c.EVALUATIONS, _BAD, judged, label, apart)), unit="percentunit",
                    steps=symptoms.within(view), scrapes=kit.SPARSE, width=6, why="Is one version worse than the others that serve beside it? The table below has the sample sizes.")
          for label in e.VERSIONS if label != "model_version"),
    )  # fmt: skip


def theirs(view: View) -> tuple[Tile, ...]:
    """The model behind the name, and what the provider says of it."""
    changelog = kit.table("Provider's changelog", ("Seen", _info("provider_changelog_version")), columns={**rows.headed(rows.WHO), "provider_changelog_version": "Entry"},
                          unit="none", width=12, why="The entry that the application was told of: it changes without a deploy of ours.")  # fmt: skip
    return (
        rows.served(12),
        *rows.by_label(
            "Ungrounded by requested model",
            c.EVALUATIONS,
            _BAD,
            symptoms.answers(view),
            "model",
            counted="Judged answers",
            steps=symptoms.within(view),
            width=12,
        ),
        changelog,
        _announced(),
    )


def _announced() -> Tile:
    stops, spoken = (
        e.gauge(metric, ("provider", "model"), rows.ANY_MODEL)
        for metric in (c.PROVIDER_DEPRECATION_TIMESTAMP, c.PROVIDER_CHANGE_TIMESTAMP)
    )
    return kit.table("Announced by providers", ("Stops", e.milliseconds(stops)), ("Spoken of", e.milliseconds(spoken)),
                     columns={**rows.headed(stops.labels), "Stops": "Stops", "Spoken of": "Spoken of"}, unit="dateTimeAsIso", width=12,
                     why="Models of any provider that stop, and when each was last in its changelog (truegreen provider changes).")  # fmt: skip


def cohorts(view: View) -> tuple[Tile, ...]:
    """Whether one cohort is worse."""
    return rows.by_label(
        "Ungrounded by cohort",
        c.EVALUATIONS,
        _BAD,
        symptoms.answers(view),
        "cohort",
        counted="Judged answers",
        steps=symptoms.within(view),
    )


def every(view: View) -> Tile:
    """All versions, with what stands behind their ratios."""
    judged = symptoms.answers(view)
    slices = (*rows.WHO, *rows.apart(judged), "snapshot")
    numbers = {
        "Ungrounded": e.with_versions(e.share(c.EVALUATIONS, _BAD, judged, slices, e.RANGE)),
        "Judged answers": e.with_versions(e.increase(c.EVALUATIONS, slices, judged)),
        "Since": e.milliseconds(e.with_versions(e.gauge(c.SNAPSHOT_SINCE_TIMESTAMP, (*rows.WHO, "snapshot"), fold="min"))),
    }
    return kit.table("All versions", *numbers.items(), columns={name: name for name in ("Since", "Ungrounded", "Judged answers")} | rows.VERSIONS | rows.headed(numbers["Ungrounded"].labels), unit="percentunit",
                      units={"Judged answers": "locale", "Since": "dateTimeAsIso"}, steps=symptoms.within(view), sort="Since",
                      why="Over the range shown. One bad version points at us; all versions bad from one moment on point at the provider.")  # fmt: skip


def _line(label: str) -> str:
    return f"{label.removesuffix('_version').replace('_', ' ')} {rows.lead(label, rows.WHO)}"


def _info(label: str) -> Expression:
    return e.gauge(c.SNAPSHOT_INFO, (*rows.WHO, label), {label: e.PRESENT})
