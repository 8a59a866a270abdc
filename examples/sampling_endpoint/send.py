"""Send recorded answers (JSON lines on standard input) to `truegreen evaluator serve`; needs nothing but Python.

A line is a sample as the endpoint's /docs has it, such as {"id": "m1", "answer": "…", "model": "m", "latency_seconds": 1.2}. Lines with an `id` may be
sent again: the endpoint counts each once.
"""

import argparse
import itertools
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator

TRIES = 10


def post(url: str, body: dict, token: str) -> dict:
    """Post one request; wait as long as the endpoint asks while it has no room."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 (the operator names it)
    for attempt in range(TRIES):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503) or attempt == TRIES - 1:
                raise
            time.sleep(int(error.headers.get("Retry-After", "5")))
    raise AssertionError("unreachable: the last attempt returns or raises")


def samples_of(lines: Iterable[str]) -> Iterator[dict]:
    """Each line's sample, by its number."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number} is not JSON ({error}); nothing of its batch was sent") from None


def send(given: argparse.Namespace) -> tuple[int, int]:
    """Send what is on standard input by batches; how many were accepted, and how many were there before."""
    accepted = repeated = 0
    samples = samples_of(sys.stdin)
    while batch := list(itertools.islice(samples, given.batch)):
        body = {"service": given.service, "environment": given.environment, "samples": batch}
        said = post(given.url, body, os.environ.get("SAMPLING_TOKEN", ""))
        accepted, repeated = accepted + said["accepted"], repeated + said["repeated"]
    return accepted, repeated


def main() -> int:
    """Send what is on standard input, a hundred at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8085/v1/samples")
    parser.add_argument("--service", required=True)
    parser.add_argument("--environment", required=True)
    parser.add_argument("--batch", type=int, default=100)
    given = parser.parse_args()
    try:
        accepted, repeated = send(given)
    except urllib.error.HTTPError as error:
        print(f"{given.url} answers {error.code}: {error.read().decode(errors='replace')}", file=sys.stderr)
    except OSError as error:  # urllib.error.URLError is one
        print(f"{given.url} cannot be reached: {getattr(error, 'reason', error)}; is the endpoint running?", file=sys.stderr)
    except ValueError as error:
        print(error, file=sys.stderr)
    else:
        print(f"{accepted} accepted, {repeated} were there before")
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
