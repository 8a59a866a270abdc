"""What Ctrl-C and a polite kill do to the demo."""

from __future__ import annotations

import signal

import pytest

from truegreen.core.clients.interrupts import SIGNALS, held
from truegreen.demo import interrupts


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupt_ends_the_demo_but_not_while_it_makes_a_process(number):
    """The same exception for both, after the block."""
    before = {one: signal.getsignal(one) for one in SIGNALS}
    reached = []

    def used():
        with held():
            signal.raise_signal(number)
            reached.append("the process is known")
        reached.append("after")

    interrupts.install()
    try:
        with pytest.raises(KeyboardInterrupt):
            used()
        assert reached == ["the process is known"]
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
