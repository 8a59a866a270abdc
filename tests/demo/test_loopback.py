"""What a server of the demo writes when its requests go wrong: a defect is told, the end of the server is not."""

import threading

import httpx
import pytest

from truegreen.demo.loopback import Quiet, serving


@pytest.mark.parametrize("ended", [True, False])
def test_a_request_that_the_end_caught_is_no_defect(ended, capsys):
    """A handler that fails since what it uses was closed with the server writes nothing; any other failure is shown."""
    inside, go_on, threads = threading.Event(), threading.Event(), []

    class Fails(Quiet):
        def do_GET(self):
            threads.append(threading.current_thread())
            inside.set()
            go_on.wait(30)
            raise RuntimeError("the client has been closed")

    def ask(url):
        with pytest.raises(httpx.HTTPError):
            httpx.get(url, trust_env=False, timeout=30)

    with serving(Fails) as url:
        asking = threading.Thread(target=ask, args=(url,))
        asking.start()
        assert inside.wait(30)
        if not ended:
            go_on.set()
            threads[0].join(30)
    go_on.set()
    for thread in (*threads, asking):
        thread.join(30)
    assert ("the client has been closed" in capsys.readouterr().err) is not ended
