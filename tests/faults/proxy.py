"""A proxy of our own between a worker and what it talks to, which loses, cuts, delays and swallows on demand.

`TcpProxy` knows bytes only. `StoreProxy` knows HTTP requests: a `Fault` says which of them it hits and what becomes
of request and response. `BrokerProxy` knows the frames of Kafka's protocol, so that the address that a broker gives
to its clients is its own. Each runs in a thread of its own; everything that is called from outside is thread-safe.

Chance comes from a seed alone: the n-th exchange of two runs with the same seed meets the same fault.
"""

import asyncio
import base64
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

LOOPBACK = "127.0.0.1"
LARGEST = 1 << 30


class _CutError(Exception):
    """This connection ends here."""


def _end_hard(writer):
    """Close so that the peer sees a reset, as when a machine dies."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class TcpProxy:
    """Forwards bytes from `port` to `target_port`, both on the loopback address.

    `delay_s`      holds every piece of a response back for that long
    `cut_after`    ends each connection after that many bytes of response; None never does
    `black_hole`   takes bytes in both directions and passes nothing on, while connections stay open
    """

    def __init__(self, target_port, *, seed=0, port=0):
        self.target_port = target_port
        self.port = port
        self.random = random.Random(seed)
        self.delay_s = 0.0
        self.cut_after = None
        self.black_hole = False
        self.accepted = 0
        self._writers = set()
        self._tasks = set()
        self._server = None
        self._loop = None
        self._thread = None

    # From outside

    def start(self):
        started = threading.Event()

        def run():
            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                runner.run(self._run(started))

        self._thread = threading.Thread(target=run, name=type(self).__name__, daemon=True)
        self._thread.start()
        if not started.wait(10):
            raise RuntimeError("the proxy did not start")
        return self

    def stop(self):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def down(self):
        """Listen no more, and reset every connection."""
        self._ask(self._down())

    def up(self):
        """Listen again, on the same port."""
        self._ask(self._listen())

    def drop_connections(self):
        """Reset every connection; new ones are taken."""
        self._ask(self._drop())

    def normal(self):
        """Stop doing harm."""
        self.delay_s, self.cut_after, self.black_hole = 0.0, None, False

    # In the thread

    def _ask(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _run(self, started):
        self._over = asyncio.Event()
        await self._listen()
        started.set()
        await self._over.wait()
        await self._down()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self):
        if self._server is None:
            self._server = await asyncio.start_server(self._connection, LOOPBACK, self.port, limit=1 << 20)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _down(self):
        server, self._server = self._server, None
        if server is not None:
            server.close()
        await self._drop()

    async def _drop(self):
        for writer in list(self._writers):
            _end_hard(writer)

    async def _connection(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self._writers.add(writer)
        self.accepted += 1
        upstream = None
        try:
            there, upstream = await asyncio.open_connection(LOOPBACK, self.target_port, limit=1 << 20)
            await self._exchange(reader, writer, there, upstream)
        except (_CutError, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            for stream in filter(None, (writer, upstream)):
                _end_hard(stream)
                with contextlib.suppress(OSError, asyncio.CancelledError):
                    await stream.wait_closed()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _exchange(self, reader, writer, there, upstream):
        directions = [
            asyncio.ensure_future(self._forward_requests(reader, upstream)),
            asyncio.ensure_future(self._forward_responses(there, writer)),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)

    async def _forward_requests(self, reader, upstream):
        while data := await reader.read(1 << 16):
            if not self.black_hole:
                upstream.write(data)
                await upstream.drain()

    async def _forward_responses(self, there, writer):
        sent = 0
        while data := await self._next_response(there):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            if self.black_hole:
                continue
            if self.cut_after is not None and sent + len(data) > self.cut_after:
                writer.write(data[: max(0, self.cut_after - sent)])
                await writer.drain()
                raise _CutError
            sent += len(data)
            writer.write(data)
            await writer.drain()

    async def _next_response(self, there):
        return await there.read(1 << 16)


class BrokerProxy(TcpProxy):
    """Between a worker and one broker: what the broker says of its own address is replaced by that of the proxy."""

    _REWRITTEN_BELOW = 1 << 16

    async def _next_response(self, there):
        size = await there.readexactly(4)
        frame = await there.readexactly(struct.unpack(">i", size)[0])
        if len(frame) < self._REWRITTEN_BELOW:  # answers about addresses are small; records stay as they are
            host = LOOPBACK.encode()
            frame = frame.replace(host + struct.pack(">i", self.target_port), host + struct.pack(">i", self.port))
        return size + frame


@dataclass
class Request:
    """One HTTP request to the store."""

    head: bytes
    body: bytes
    target: str
    params: Mapping[str, str]

    @property
    def statement(self):
        """The beginning of the SQL text, wherever it stands in the request."""
        text = self.params.get("query", "") or self.body[:400].decode(errors="replace")
        return " ".join(text.split())

    @property
    def inserts_entries(self):
        """Whether this is an insert of a block into the ledger."""
        return self.statement.upper().replace("`", "").startswith("INSERT INTO LEDGER")

    @property
    def fills(self):
        """Whether this fills a typed table again."""
        return self.statement.upper().startswith("INSERT INTO") and not self.inserts_entries

    @property
    def reads(self):
        return not self.statement.upper().startswith("INSERT INTO")

    def with_settings(self, settings):
        """The same request with settings added to those that it brings, as a profile of the user would."""
        parts = urlsplit(self.target)
        target = f"{parts.path}?{urlencode({**self.params, **settings})}"
        return Request(self.head.replace(self.target.encode(), target.encode(), 1), self.body, target, self.params)

    def with_body(self, body):
        """The same request with another body, whose length is told as if it were the whole one."""
        told = b"content-length: %d" % len(self.body)
        at = self.head.lower().index(told)
        head = self.head[:at] + b"content-length: %d" % len(body) + self.head[at + len(told) :]
        return Request(head, body, self.target, self.params)

    def without_login(self):
        """The same request with a password that is wrong."""
        lines = self.head.split(b"\r\n")
        wrong = base64.b64encode(b"writer:wrong")
        lines = [b"Authorization: Basic " + wrong if x.lower().startswith(b"authorization:") else x for x in lines]
        return Request(b"\r\n".join(lines), self.body, self.target, self.params)


def entries(request):
    """Inserts of blocks into any ledger."""
    return request.inserts_entries


def entries_of(installation):
    """Inserts of blocks into the ledger of one installation."""
    return lambda request: request.inserts_entries and request.params.get("database") == installation.prefix


def everything(_request):
    return True


@dataclass
class Fault:
    """What happens to the next `times` requests that `matches`; None: to all of them.

    The request:   `settings` are added to it; `edit` gets (request, random) and returns another one; with
                   `lose_request` it never reaches the server; `repeat` sends it that many times more, one after the
                   other; `then` is called in a thread of its own as soon as it was passed on.
    The response:  held back for `delay_s` and until `until` is set; `black_hole` never passes it on while the
                   connection stays open; `cut_after` passes on so many bytes of it and ends the connection (0: the
                   server did its work and nobody hears of it); a function gets (random, length).
    `answer` is what the client hears instead, while the server hears nothing.
    """

    matches: Callable[[Request], bool] = everything
    times: int | None = 1
    settings: Mapping[str, object] = field(default_factory=dict)
    edit: Callable[[Request, random.Random], Request] | None = None
    lose_request: bool = False
    repeat: int = 0
    then: Callable[[], None] | None = None
    delay_s: float = 0.0
    until: threading.Event | None = None
    black_hole: bool = False
    cut_after: int | Callable[[random.Random, int], int] | None = None
    answer: bytes | None = None
    hits: int = 0


class StoreProxy(TcpProxy):
    """Between a worker and the store. `faults` are tried in order; the first that matches is applied."""

    def __init__(self, target_port, *, seed=0, port=0):
        super().__init__(target_port, seed=seed, port=port)
        self.faults = []
        self.chaos = None
        self.requests = 0
        self.inserts = 0

    def add(self, fault):
        self.faults.append(fault)
        return fault

    def normal(self):
        super().normal()
        self.faults.clear()
        self.chaos = None

    async def _exchange(self, reader, writer, there, upstream):
        while True:
            request = await self._read_request(reader)
            self.requests += 1
            self.inserts += request.inserts_entries
            fault = self._fault_for(request)
            if self.black_hole or (fault is not None and fault.black_hole and fault.lose_request):
                await asyncio.Event().wait()
            if fault is not None and fault.answer is not None:
                writer.write(fault.answer)
                await writer.drain()
                raise _CutError
            if fault is not None and fault.lose_request:
                raise _CutError
            if fault is not None and fault.settings:
                request = request.with_settings(fault.settings)
            if fault is not None and fault.edit is not None:
                request = fault.edit(request, self.random)
            for _ in range(1 + (fault.repeat if fault is not None else 0)):
                upstream.write(request.head + request.body)
                await upstream.drain()
                if fault is not None and fault.then is not None:
                    await asyncio.to_thread(fault.then)
                whole, response = await self._read_response(there)
            await self._respond(writer, response, fault)
            if not whole:
                raise _CutError

    async def _respond(self, writer, response, fault):
        if fault is not None:
            await asyncio.sleep(fault.delay_s)
            while fault.until is not None and not fault.until.is_set():  # noqa: ASYNC110 - set by another thread
                await asyncio.sleep(0.02)
        await asyncio.sleep(self.delay_s)
        if self.black_hole or (fault is not None and fault.black_hole):
            await asyncio.Event().wait()
        cut = self.cut_after
        if fault is not None and fault.cut_after is not None:
            cut = fault.cut_after(self.random, len(response)) if callable(fault.cut_after) else fault.cut_after
        if cut is not None and cut < len(response):
            writer.write(response[:cut])
            await writer.drain()
            # What was written arrives before the end does: a reset would take it back.
            if cut:
                writer.write_eof()
                await asyncio.sleep(0.05)
            raise _CutError
        writer.write(response)
        await writer.drain()

    def _fault_for(self, request):
        for fault in self.faults:
            if (fault.times is None or fault.hits < fault.times) and fault.matches(request):
                fault.hits += 1
                return fault
        return self.chaos(self.random, request) if self.chaos is not None else None

    async def _read_request(self, reader):
        head = await reader.readuntil(b"\r\n\r\n")
        body = await _read_body(reader, head)
        target = head.split(b" ", 2)[1].decode()
        return Request(head, body, target, dict(parse_qsl(urlsplit(target).query, keep_blank_values=True)))

    async def _read_response(self, there):
        """(whether it is whole, its bytes): a server that dies in the middle leaves a part."""
        came = bytearray()
        try:
            head = await there.readuntil(b"\r\n\r\n")
            came += head
            came += await _read_body(there, head, came)
        except asyncio.IncompleteReadError as error:
            came += error.partial
            return False, bytes(came)
        return b"connection: close" not in head.lower(), bytes(came)


async def _read_body(stream, head, kept=None):
    """The bytes of a body as they came: by length, in chunks, or none."""
    lines = head.lower().split(b"\r\n")
    if any(line.startswith(b"transfer-encoding:") and b"chunked" in line for line in lines):
        body = bytearray()
        while True:
            line = await stream.readuntil(b"\r\n")
            chunk = line + await stream.readexactly(int(line.split(b";")[0], 16) + 2)
            if kept is None:
                body += chunk
            else:
                kept += chunk  # so that a part is not lost when the rest does not come
            if int(line.split(b";")[0], 16) == 0:
                return bytes(body)
    for line in lines:
        if line.startswith(b"content-length:"):
            return await stream.readexactly(int(line.split(b":")[1]))
    return b""


def chaos(probability, *, longest_delay_s=0.3):
    """A fault for each request with `probability`: lost, cut anywhere in its response, late, or doubled."""

    def draw(dice, request):
        if dice.random() >= probability:
            return None
        kind = dice.choice(("lost", "cut", "cut", "late", "doubled"))
        if kind == "lost":
            return Fault(lose_request=True)
        if kind == "late":
            return Fault(delay_s=dice.uniform(0, longest_delay_s))
        if kind == "doubled" and request.inserts_entries:
            return Fault(repeat=1)
        return Fault(cut_after=lambda random, length: random.randrange(length))

    return draw
