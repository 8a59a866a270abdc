"""Addresses that are chosen now and bound later."""

import socket

from truegreen.demo import files


def test_a_taken_port_is_passed_over_and_outgoing_connections_cannot_take_the_chosen_one():
    """The first candidate is in use: the second is chosen; all candidates lie below the ephemeral range."""
    asked = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        candidates = iter([taken.getsockname()[1], 28_765])

        def port(low, high):
            asked.append((low, high))
            return next(candidates)

        assert files.free_address(port) == "127.0.0.1:28765"
    assert all(1_024 < low < high < 32_768 for low, high in asked)
