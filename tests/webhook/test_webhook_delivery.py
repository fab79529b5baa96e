"""Delivery against real servers that are slow, dead, wrong, or answer 500."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.config.model import Secret, Webhook
from gateway.journal.incident import Change, Incident, Step
from gateway.journal.kinds import IncidentKind
from gateway.webhook import delivery as delivery_module
from gateway.webhook.delivery import Delivery
from gateway.webhook.hooks import Hooks
from gateway.webhook.message import Message

WITHIN_S = 10.0
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


class Server:
    """An HTTP server that answers each request as `script` says: bytes, or a coroutine that does as it likes."""

    def __init__(self, *script: bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
        self._script = itertools.chain(script, itertools.repeat(OK))
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.open = self.most_open = 0
        self.port = 0

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *fields = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields if field)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.requests.append((first, headers, body))
            answer = next(self._script)
            if isinstance(answer, bytes):
                writer.write(answer)
            else:
                await answer(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client gave up, as it should
        finally:
            self.open -= 1
            writer.close()

    def hook(self, **more: object) -> Webhook:
        return replace(Webhook(f"http://127.0.0.1:{self.port}/in?k=v", "pager", timeout_s=5.0), **more)  # type: ignore[arg-type]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def delivering(hook: Webhook) -> AsyncIterator[Delivery]:
    delivery = Delivery(hook, first_retry_s=0.01)
    delivery.start()
    try:
        yield delivery
    finally:
        await delivery.stop()


def status(code: int, *fields: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {code} Whatever", *fields, "content-length: 0", "", "")).encode()


def test_messages_arrive_in_order_one_at_a_time_and_signed():
    async def main():
        async with Server().serving() as server, delivering(server.hook(secret=Secret("s"))) as delivery:
            for number in range(5):
                delivery.put(Message(str(number), b'{"n":%d}' % number))
            await until(lambda: len(server.requests) == 5)
            assert [headers["webhook-id"] for _, headers, _ in server.requests] == ["0", "1", "2", "3", "4"]
            assert server.requests[0][0] == "POST /in?k=v HTTP/1.1"
            assert server.requests[0][1]["content-type"] == "application/json"
            assert server.requests[0][1]["webhook-signature"].startswith("v1,")
            assert server.most_open == 1
            await until(lambda: delivery.status().waiting == 0)
            assert delivery.status().outcomes == {"delivered": 5, "failed": 0, "refused": 0, "dropped": 0}

    asyncio.run(main())


def test_a_server_error_is_tried_again_with_the_same_id_until_it_is_taken():
    async def main():
        server = Server(status(500), status(503, "Retry-After: 0"), status(429), status(302, "Location: http://127.0.0.1:1/"))
        async with server.serving(), delivering(server.hook()) as delivery:
            delivery.put(Message("a", b"{}"))
            await until(lambda: delivery.status().outcomes["delivered"] == 1)
            assert {headers["webhook-id"] for _, headers, _ in server.requests} == {"a"}
            assert len(server.requests) == 5, "and a redirect is not followed"
            assert delivery.status().outcomes["failed"] == 4
            assert delivery.status().trouble == ""

    asyncio.run(main())


def test_a_message_the_server_does_not_want_makes_room_for_the_next():
    async def main():
        server = Server(status(400), status(410))
        async with server.serving(), delivering(server.hook()) as delivery:
            for name in "abc":
                delivery.put(Message(name, b"{}"))
            await until(lambda: delivery.status().outcomes["delivered"] == 1)
            assert delivery.status().outcomes["refused"] == 2
            assert len(server.requests) == 3

    asyncio.run(main())


@pytest.mark.parametrize("way", ["silent", "dripping", "endless"])
def test_a_slow_server_is_given_up_at_its_deadline_however_it_is_slow(way):
    async def slow(writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(WITHIN_S):
            while way != "silent":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" if way == "endless" else b"H")
                await writer.drain()
                await asyncio.sleep(0.02)
            await asyncio.sleep(WITHIN_S)

    async def main():
        async with Server(slow).serving() as server, delivering(server.hook(timeout_s=0.3)) as delivery:
            began = asyncio.get_running_loop().time()
            delivery.put(Message("a", b"{}"))
            await until(lambda: delivery.status().outcomes["failed"] == 1)
            assert asyncio.get_running_loop().time() - began < 3
            await until(lambda: delivery.status().outcomes["delivered"] == 1)

    asyncio.run(main())


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n\r\n", b"", b"\x00" * 100_000, b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_no_http_server_is_said_and_tried_again(answer):
    async def main():
        async with Server(answer).serving() as server, delivering(server.hook()) as delivery:
            delivery.put(Message("a", b"{}"))
            await until(lambda: delivery.status().outcomes["delivered"] == 1)
            assert delivery.status().outcomes["failed"] == 1

    asyncio.run(main())


def test_a_dead_server_gets_everything_when_it_is_back_but_for_what_is_too_much(monkeypatch):
    monkeypatch.setattr(delivery_module, "QUEUE_MESSAGES", 10)
    monkeypatch.setattr(delivery_module, "LAST_RETRY_S", 0.05)

    async def main():
        server = Server()
        async with server.serving():
            pass
        async with delivering(server.hook()) as delivery:
            for number in range(15):
                delivery.put(Message(str(number), b"{}"))
                await asyncio.sleep(0)
            await until(lambda: delivery.status().outcomes["failed"] > 1)
            assert delivery.status().trouble == "connection refused"
            assert delivery.status().waiting == 10
            async with server.serving():
                await until(lambda: delivery.status().waiting == 0)
            ids = [headers["webhook-id"] for _, headers, _ in server.requests]
            assert ids == ["0", *map(str, range(6, 15))]
            assert delivery.status().outcomes["dropped"] == 5

    asyncio.run(main())


def test_nothing_secret_of_the_address_is_shown(caplog):
    async def main():
        hook = Webhook("http://127.0.0.1:1/services/T0KEN?key=K3Y", "pager", timeout_s=1.0)
        async with delivering(hook) as delivery:
            delivery.put(Message("a", b"{}"))
            await until(lambda: delivery.status().outcomes["failed"] > 0)
            assert delivery.status().url == "http://127.0.0.1:1/"
            shown = repr(delivery.status()) + repr(hook) + caplog.text
            assert "T0KEN" not in shown
            assert "K3Y" not in shown

    asyncio.run(main())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-subj", "/CN=hook",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize(("trust", "accepted"), [("system", False), ("file", True), ("none", True)])
def test_a_certificate_of_ones_own_needs_its_authority_or_verify_off(certificate, trust, accepted):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")

    async def main():
        server = Server()
        async with server.serving(tls):
            hook = server.hook(url=f"https://127.0.0.1:{server.port}/")
            hook = replace(hook, verify=trust != "none", ca_file=certificate / "cert.pem" if trust == "file" else None)
            async with delivering(hook) as delivery:
                delivery.put(Message("a", b"{}"))
                await until(lambda: sum(delivery.status().outcomes.values()) > 0)
                assert delivery.status().outcomes["delivered"] == int(accepted)
                assert ("certificate" in delivery.status().trouble) is not accepted

    asyncio.run(main())


def test_an_authority_that_was_replaced_on_the_disk_is_taken_up_without_a_restart(certificate, tmp_path):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trusted = tmp_path / "ca.pem"
    other = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    other += ["-keyout", "/dev/null", "-out", str(trusted), "-subj", "/CN=last year's"]
    subprocess.run(other, check=True, capture_output=True)

    async def main():
        server = Server()
        async with server.serving(tls):
            hook = server.hook(url=f"https://127.0.0.1:{server.port}/")
            async with delivering(replace(hook, ca_file=trusted)) as delivery:
                delivery.put(Message("a", b"{}"))
                await until(lambda: "certificate" in delivery.status().trouble)
                trusted.write_bytes((certificate / "cert.pem").read_bytes())
                await until(lambda: delivery.status().outcomes["delivered"] == 1)

    asyncio.run(main())


def test_hooks_get_the_kinds_they_ask_for_and_keep_their_queue_over_a_reload():
    async def main():
        offline = Incident(1, "door", IncidentKind.OFFLINE, "unreachable", "no route", 1.0)
        hot = Incident(2, "", IncidentKind.OVERHEATING, "overheating", "hot", 1.0)
        async with Server().serving() as server:
            hooks = Hooks()
            dead = Webhook("http://127.0.0.1:1/", "dead", (IncidentKind.OVERHEATING,))
            hooks.configure([server.hook(events=(IncidentKind.OFFLINE,)), dead])
            hooks.tell(Change(Step.BEGAN, offline), "", "")
            hooks.tell(Change(Step.BEGAN, hot), "", "")
            await until(lambda: len(server.requests) == 1)
            hooks.configure([dead, server.hook(name="all")])
            assert [one.waiting for one in hooks.status()] == [1, 0]
            hooks.tell(Change(Step.ENDED, offline), "", "")
            await until(lambda: len(server.requests) == 2)
            await hooks.stop()

    asyncio.run(main())
