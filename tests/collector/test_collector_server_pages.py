"""The pages, as who does not read them meets them."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp import ClientSession, web
from otlp_requests import INTERVAL, Clock, llm, span, traces
from receivers import DEADLINE

from truegreen.collector import pages
from truegreen.collector.intake import Intake
from truegreen.collector.model import Limits
from truegreen.collector.processor import Processor


@pytest.mark.full
@pytest.mark.parametrize("path", ["/metrics", "/nothing"])
def test_behaviour_07_who_does_not_read_a_page_is_closed(path: str) -> None:
    """It asks on and on and reads no answer: the connection ends, and others are served."""

    async def run() -> None:
        processor = Processor(Clock(), INTERVAL)
        for i in range(100):
            processor.traces(traces([span(llm(gen_ai__request__model=f"m{i}"))]))
        runner = web.AppRunner(
            pages.application(Intake(processor, 1 << 20, Limits(body_seconds=0.2)), lambda: None), shutdown_timeout=0.1
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        loop = asyncio.get_running_loop()
        try:
            unread = socket.socket()
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            unread.setblocking(False)
            await loop.sock_connect(unread, ("127.0.0.1", port))
            async with asyncio.timeout(DEADLINE):
                with pytest.raises(ConnectionError):
                    while True:
                        await loop.sock_sendall(unread, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 200)
            unread.close()
            async with ClientSession() as session:
                for _ in range(3):
                    async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                        assert answer.status == (200 if path == "/metrics" else 404)
                        assert (await answer.text()).count("truegreen_llm_requests_total{") == (100 if path == "/metrics" else 0)
                async with session.post(f"http://127.0.0.1:{port}/metrics") as answer:
                    assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
        finally:
            await runner.cleanup()

    asyncio.run(run())
