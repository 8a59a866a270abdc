"""How truegreen.yaml and the options of `truegreen collect` say who may send and how much."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from certificates import authority, issued
from collector_process import Running
from otlp_requests import llm, span, traces

from truegreen.collector.commands import receiver
from truegreen.collector.state import REFUSED
from truegreen.core.config import load
from truegreen.core.config.receiver import Limits, Receiver, Tls
from truegreen.core.errors import BadInput

BODY = traces([span(llm())])


def written(folder: Path, text: str) -> Receiver:
    """The receiver of a configuration file with these lines under `collector`."""
    file = folder / "truegreen.yaml"
    file.write_text("collector:\n" + "".join(f"  {line}\n" for line in text.splitlines()))
    return load(file, {}).collector.receiver


def test_without_a_word_the_limits_are_those_of_the_model(tmp_path: Path) -> None:
    """The defaults of the schema are the defaults of the dataclass."""
    assert load(None, {}).collector.receiver == Receiver(None, None, Limits())
    assert written(tmp_path, "limits: {}") == Receiver()


def test_files_lie_beside_the_configuration_and_options_win(tmp_path: Path) -> None:
    """Part by part: a key given as an option goes with the certificate of the file."""
    found = written(
        tmp_path,
        "tls: {cert: a.crt, key: a.key, client_ca: /etc/ca.crt}\ntoken_file: t\nlimits: {request: 1MiB, in_flight: 2MiB, requests: 3, reading: 9, connections: 4, header: 5s, body: 6s}",
    )
    assert found.tls == Tls(tmp_path / "a.crt", tmp_path / "a.key", Path("/etc/ca.crt"))
    assert found.token_file == tmp_path / "t"
    assert found.limits == Limits(1 << 20, 2 << 20, 3, 9, 4, 5.0, 6.0)
    said = receiver(found, None, Path("b.key"), None, Path("u"))
    assert said.tls == Tls(tmp_path / "a.crt", Path("b.key"), Path("/etc/ca.crt")) and said.token_file == Path("u")
    assert receiver(Receiver(), None, None, None, None) == Receiver()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tls: {cert: a.crt}", "write cert and key"),
        ("tls: {client_ca: a.crt}", "write cert and key"),
        (
            "limits: {in_flight: 39MiB}",
            "limits.in_flight: found 39MiB, and one request of 20MiB (`request`) is held twice, as sent and inflated; write at least 40MiB",
        ),
        (
            "limits: {request: 33MiB}",
            "limits.in_flight: found 64MiB, and one request of 33MiB (`request`) is held twice, as sent and inflated; write at least 66MiB",
        ),
        ("limits: {requests: 0}", "found 0"),
        ("limits: {request: 20}", "write a whole number and a unit, such as 64MiB"),
        ("limits: {body: soon}", "such as 30s"),
        ("token: abc", "unknown key; did you mean token_file?"),
    ],
)
def test_what_is_written_wrongly_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    """File, line, key, what was found, what to write."""
    with pytest.raises(BadInput) as caught:
        written(tmp_path, text)
    assert f"{tmp_path / 'truegreen.yaml'}:2: collector." in str(caught.value) and says in str(caught.value)


def test_a_collector_with_a_configuration_of_its_own_obeys_it(start: Callable[..., Running], tmp_path: Path) -> None:
    """A token and a limit of one request, from a file in another folder."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "t").write_text("one")
    (folder / "truegreen.yaml").write_text("collector: {token_file: t, limits: {request: 1KiB}}\n")
    collector = start("--config", "etc/truegreen.yaml")
    assert collector.post(BODY)[0] == 401
    assert collector.post(BODY, Authorization="Bearer one")[0] == 200
    assert collector.post(b"\0" * 1025, Authorization="Bearer one")[0] == 413


def test_the_page_has_every_reason_of_a_refusal(repo: Path) -> None:
    """docs/receiving.md says when each is counted."""
    page = (repo / "docs" / "receiving.md").read_text()
    assert [reason for reason in REFUSED if f"`{reason}`" not in page] == []


def test_a_server_certificate_without_client_authority_asks_clients_for_none(tmp_path: Path) -> None:
    """The context that HTTP gets for each connection."""
    import ssl

    from truegreen.collector.tls import renewed

    pair = issued(tmp_path, "server", authority(tmp_path, "ours"))
    assert renewed(Tls(pair.cert, pair.key), print)().context.verify_mode is ssl.CERT_NONE
    with_ca = renewed(Tls(pair.cert, pair.key, tmp_path / "ours.crt"), print)().context
    assert (with_ca.verify_mode, with_ca.minimum_version) == (ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_2)
