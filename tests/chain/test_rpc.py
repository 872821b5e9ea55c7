"""The client against real HTTP servers that behave badly."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from evaluator.chain import connection, redaction, rpc
from evaluator.chain.rpc import RpcClient, pin_block
from evaluator.errors import (
    ConfigurationError,
    RpcError,
    RpcRateLimited,
    RpcUnreachable,
    WrongChain,
)

KEY = "s3cretKeyOfTheProvider42"
HASH = "0x" + "12" * 32


class Endpoint:
    """A JSON-RPC server whose next answers can be dictated."""

    def __init__(self, chain_id: int = 1, block_hash: str = HASH) -> None:
        self.chain_id = chain_id
        self.block_hash = block_hash
        self.requests: list[object] = []  # parsed bodies
        self.script: list[object] = []  # functions(handler, body) used up first
        self.lines: list[socket.socket] = []  # the requests came in by
        self.always = None  # such a function for every request
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                """Keep quiet."""

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body)
                outer.lines.append(self.connection)
                act = outer.script.pop(0) if outer.script else outer.always
                if act is not None:
                    act(self, body)
                elif isinstance(body, list):
                    reply(self, [outer.answer(item) for item in body])
                else:
                    reply(self, outer.answer(body))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v2/{KEY}"

    def answer(self, call: dict) -> dict:
        number = hex(100)
        results = {
            "eth_chainId": hex(self.chain_id),
            "eth_blockNumber": number,
            "eth_getBlockByNumber": {
                "number": number,
                "hash": self.block_hash,
                "timestamp": hex(1_700_000_000),
            },
        }
        envelope = {"jsonrpc": "2.0", "id": call["id"]}
        if call["method"] not in results:
            return envelope | {"error": {"code": -32601, "message": "method not found"}}
        return envelope | {"result": results[call["method"]]}

    @property
    def methods(self) -> list[str]:
        return [body["method"] for body in self.requests if isinstance(body, dict)]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def reply(handler, content, status=200, headers=()):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    handler.send_response(status)
    for name, value in headers:
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    # The client may have given up already.
    with contextlib.suppress(OSError):
        handler.wfile.write(body)


def with_status(status, content=b"no", headers=()):
    return lambda handler, body: reply(handler, content, status, headers)


def with_error(code, message, **more):
    return lambda handler, body: reply(
        handler,
        {"jsonrpc": "2.0", "id": body["id"], "error": {"code": code, "message": message} | more},
    )


def dying(handler, body):
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


@pytest.fixture(params=["straight", "by requests"])
def endpoints(request, monkeypatch):
    """Make endpoints that are closed at the end, spoken to in both ways there are."""
    if request.param == "by requests":
        monkeypatch.setattr(rpc, "connect", lambda url: connection._ByRequests(url, local=True))
    made: list[Endpoint] = []

    def make(**kwargs):
        made.append(Endpoint(**kwargs))
        return made[-1]

    yield make
    for endpoint in made:
        endpoint.close()


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Record waits instead of waiting."""
    waited: list[float] = []
    monkeypatch.setattr(rpc, "sleep", waited.append)
    return waited


def test_reads_the_chain_once(endpoints):
    endpoint = endpoints(chain_id=56)
    client = RpcClient(endpoint.url)
    assert client.chain_id == 56
    assert client.request("eth_blockNumber") == hex(100)
    assert client.chain_id == 56
    assert endpoint.methods.count("eth_chainId") <= 2


@pytest.mark.parametrize(
    "refusal",
    [
        with_status(429, b"slow down"),
        with_status(429, b"slow down", [("Retry-After", "7")]),
        with_error(-32005, "limit exceeded"),
        with_error(429, "Your app has exceeded its compute units per second capacity"),
        with_error(-32000, "Too Many Requests, try later"),
        with_status(503),
        with_status(200, b"<html>gateway</html>"),
        with_status(200, b"[]"),
        with_status(200, b"\xff\xfe"),
        with_status(200, b'{"jsonrpc": "2.0", "id": 1}'),
        with_status(200, b"[" * 100_000),
        dying,
    ],
)
def test_waits_and_tries_again(endpoints, waits, refusal):
    endpoint = endpoints()
    client = RpcClient(endpoint.url)
    assert client.chain_id == 1
    endpoint.script = [refusal, refusal]
    assert client.request("eth_blockNumber") == hex(100)
    assert len(waits) == 2
    assert 0 < waits[0] < waits[1] + 7


def test_retry_after_is_obeyed_within_reason(endpoints, waits):
    endpoint = endpoints()
    client = RpcClient(endpoint.url)
    assert client.chain_id == 1
    endpoint.script = [
        with_status(429, headers=[("Retry-After", "7")]),
        with_status(429, headers=[("Retry-After", "86400")]),
        with_status(429, headers=[("Retry-After", "nan")]),
        with_status(429, headers=[("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT")]),
    ]
    client.request("eth_blockNumber")
    assert waits[0] == 7
    assert 7 < waits[1] <= 20
    assert 0 < waits[2] < 7
    assert 0 < waits[3] < 7


def test_gives_up_on_a_rate_limit_with_its_own_error(endpoints, waits):
    endpoint = endpoints()
    endpoint.always = with_status(429)
    with pytest.raises(RpcRateLimited, match="further RPC URL"):
        RpcClient(endpoint.url, retries=3).request("eth_blockNumber")
    assert len(waits) == 3
    assert waits == sorted(waits)


def test_an_answer_is_not_retried(endpoints, waits):
    endpoint = endpoints()
    endpoint.script = [
        lambda handler, body: reply(handler, endpoint.answer(body)),
        with_error(3, "execution reverted: rate limit", data="0x08c379a0"),
    ]
    with pytest.raises(RpcError, match="rate limit") as caught:
        RpcClient(endpoint.url).request("eth_call", [{}, "latest"])
    assert caught.value.code == 3
    assert caught.value.data == "0x08c379a0"
    assert not waits


def test_refused_credentials_are_not_retried(endpoints, waits):
    endpoint = endpoints()
    endpoint.always = with_status(401)
    with pytest.raises(RpcError, match="credentials") as caught:
        RpcClient(endpoint.url).request("eth_blockNumber")
    assert KEY not in str(caught.value)
    assert not waits


def test_an_error_in_an_http_error_is_read(endpoints):
    endpoint = endpoints()
    client = RpcClient(endpoint.url)
    assert client.chain_id == 1
    body = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "bad block tag"}}
    endpoint.script = [with_status(400, json.dumps(body).encode())]
    with pytest.raises(RpcError, match="bad block tag"):
        client.request("eth_blockNumber")


def test_fails_over_and_stays_there(endpoints, waits):
    first, second = endpoints(), endpoints()
    client = RpcClient([first.url, second.url])
    assert client.chain_id == 1
    first.always = dying
    assert client.request("eth_blockNumber") == hex(100)
    assert str(second.server.server_port) in client.label
    count = len(first.requests)
    assert client.request("eth_blockNumber") == hex(100)
    assert len(first.requests) == count
    assert not waits


def test_a_rate_limited_endpoint_hands_over_without_waiting(endpoints, waits):
    first, second = endpoints(), endpoints()
    first.always = with_status(429)
    assert RpcClient([first.url, second.url]).request("eth_blockNumber") == hex(100)
    assert not waits


def test_an_endpoint_of_another_chain_is_passed_over(endpoints):
    first, wrong, third = endpoints(), endpoints(chain_id=10), endpoints()
    client = RpcClient([first.url, wrong.url, third.url])
    assert client.chain_id == 1
    first.always = dying
    assert client.request("eth_blockNumber") == hex(100)
    assert str(third.server.server_port) in client.label
    assert wrong.methods == ["eth_chainId"]


def test_no_endpoint_of_the_chain_is_a_clear_error(endpoints, waits):
    wrong = endpoints(chain_id=10)
    client = RpcClient(wrong.url, expected_chain_id=1)
    with pytest.raises(WrongChain, match="serves chain 10, but chain 1 was expected"):
        client.request("eth_blockNumber")
    assert not waits


def test_an_endpoint_on_a_fork_is_passed_over(endpoints):
    first, forked = endpoints(), endpoints(block_hash="0x" + "34" * 32)
    client = RpcClient([first.url, forked.url], retries=0)
    assert pin_block(client).hash == HASH
    first.always = dying
    with pytest.raises(RpcUnreachable):
        client.request("eth_blockNumber")
    assert "eth_blockNumber" not in forked.methods


def test_a_hanging_endpoint_times_out(endpoints):
    endpoint = endpoints()
    released = threading.Event()
    endpoint.always = lambda handler, body: released.wait(30)
    with pytest.raises(RpcUnreachable, match=r"in 0\.2 s"):
        RpcClient(endpoint.url, timeout=0.2, retries=0).request("eth_blockNumber")
    released.set()


def test_a_dripping_endpoint_times_out_as_a_whole(endpoints):
    """Each byte comes in time, but the reply never ends."""
    endpoint = endpoints()
    released = threading.Event()

    def drip(handler, body):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not released.wait(0.05):
                handler.wfile.write(b" ")

    endpoint.always = drip
    with pytest.raises(RpcUnreachable, match=r"in 0\.4 s"):
        RpcClient(endpoint.url, timeout=0.4, retries=0).request("eth_blockNumber")
    released.set()


def test_nobody_there(endpoints):
    endpoint = endpoints()
    url = endpoint.url
    endpoint.close()
    with pytest.raises(
        RpcUnreachable, match=r"did not answer at all: connection refused$"
    ) as caught:
        RpcClient(url, retries=0).request("eth_blockNumber")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost:99999", "http://localhost:1/päth", "http://::1"])
def test_a_local_url_that_leads_nowhere(url):
    with pytest.raises(RpcUnreachable, match="did not answer at all"):
        RpcClient(url, retries=0).request("eth_blockNumber")


def test_an_idle_connection_that_was_closed_is_opened_again(endpoints):
    endpoint = endpoints()
    client = RpcClient(endpoint.url, retries=0)
    assert client.request("eth_blockNumber") == hex(100)
    endpoint.lines[-1].shutdown(socket.SHUT_RDWR)
    assert client.request("eth_blockNumber") == hex(100)


def test_an_oversized_reply_is_refused(endpoints):
    endpoint = endpoints()
    client = RpcClient(endpoint.url, max_reply=10_000)
    assert client.chain_id == 1
    endpoint.script = [with_status(200, b'"' + b"x" * 5_000_000 + b'"')]
    with pytest.raises(RpcError, match="more than 10,000 bytes"):
        client.request("eth_blockNumber")


def test_what_must_happen_once_is_not_repeated_after_a_timeout(endpoints):
    endpoint = endpoints()
    client = RpcClient(endpoint.url, timeout=0.2)
    assert client.chain_id == 1
    released = threading.Event()
    endpoint.always = lambda handler, body: released.wait(30)
    with pytest.raises(RpcUnreachable):
        client.request("eth_sendTransaction", [{}])
    released.set()
    assert endpoint.methods.count("eth_sendTransaction") == 1


def test_a_batch_is_one_request_with_errors_in_place(endpoints):
    endpoint = endpoints()
    client = RpcClient(endpoint.url)
    assert client.chain_id == 1
    count = len(endpoint.requests)
    answers = client.batch([("eth_blockNumber", []), ("nonsense", []), ("eth_chainId", [])])
    assert answers[0] == hex(100)
    assert isinstance(answers[1], RpcError)
    assert answers[2] == "0x1"
    assert len(endpoint.requests) == count + 1


def test_a_batch_may_come_back_in_any_order(endpoints):
    endpoint = endpoints()
    client = RpcClient(endpoint.url)
    assert client.chain_id == 1
    endpoint.script = [
        lambda handler, body: reply(handler, [endpoint.answer(call) for call in reversed(body)])
    ]
    assert client.batch([("eth_blockNumber", []), ("eth_chainId", [])]) == [hex(100), "0x1"]


def test_a_batch_with_a_part_missing_is_garbage(endpoints, waits):
    endpoint = endpoints()
    client = RpcClient(endpoint.url)
    assert client.chain_id == 1
    endpoint.script = [lambda handler, body: reply(handler, [endpoint.answer(body[0])])]
    assert client.batch([("eth_blockNumber", []), ("eth_chainId", [])]) == [hex(100), "0x1"]
    assert len(waits) == 1


def test_an_endpoint_without_batches_is_asked_one_by_one(endpoints):
    endpoint = endpoints()
    client = RpcClient(endpoint.url)
    assert client.chain_id == 1
    refused = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no batches"}}
    endpoint.script = [with_status(200, json.dumps(refused).encode())]
    answers = client.batch([("eth_blockNumber", []), ("nonsense", [])])
    assert answers[0] == hex(100)
    assert isinstance(answers[1], RpcError)


def test_a_rate_limited_part_of_a_batch_repeats_the_batch(endpoints, waits):
    endpoint = endpoints()
    client = RpcClient(endpoint.url)
    assert client.chain_id == 1
    endpoint.script = [
        lambda handler, body: reply(
            handler,
            [
                endpoint.answer(body[0]),
                {"id": body[1]["id"], "error": {"code": -32005, "message": "limit exceeded"}},
            ],
        )
    ]
    assert client.batch([("eth_blockNumber", []), ("eth_chainId", [])]) == [hex(100), "0x1"]
    assert len(waits) == 1


def test_many_threads_share_a_client(endpoints):
    endpoint = endpoints()
    client = RpcClient(endpoint.url)
    answers: list[object] = []
    threads = [
        threading.Thread(
            target=lambda: answers.extend(client.request("eth_blockNumber") for _ in range(20))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [hex(100)] * 160


@pytest.mark.parametrize("url", ["", "ws://host/x", "file:///etc/passwd", "localhost:8545"])
def test_only_http_is_spoken(url):
    with pytest.raises(ConfigurationError):
        RpcClient(url)


def test_no_url_at_all():
    with pytest.raises(ConfigurationError, match="no RPC URL"):
        RpcClient([])


@pytest.mark.parametrize(
    ("block", "sent"),
    [
        ("latest", "latest"),
        ("finalized", "finalized"),
        (100, "0x64"),
        ("100", "0x64"),
        ("0x64", "0x64"),
        (HASH, HASH),
    ],
)
def test_pins_a_number_a_tag_or_a_hash(endpoints, block, sent):
    endpoint = endpoints()
    by_hash = lambda handler, body: reply(  # noqa: E731
        handler,
        {
            "id": body["id"],
            "result": endpoint.answer({"id": 1, "method": "eth_getBlockByNumber"})["result"],
        },
    )
    endpoint.script = [None, by_hash] if block == HASH else []
    pinned = pin_block(RpcClient(endpoint.url), block)
    assert (pinned.number, pinned.hash, pinned.timestamp) == (100, HASH, 1_700_000_000)
    assert endpoint.requests[-1]["params"][0] == sent


@pytest.mark.parametrize("block", [-1, "soon", "0xzz", ""])
def test_what_is_no_block_is_said_so(endpoints, block):
    with pytest.raises(ConfigurationError, match="neither a number"):
        pin_block(RpcClient(endpoints().url), block)


def test_no_key_shows_anywhere(endpoints, caplog):
    """In errors with their causes, in repr, label and any log."""
    endpoint = endpoints()
    url = endpoint.url.replace("http://", "http://someuser:hunter2hunter2@") + "?apikey=abcdef123"
    client = RpcClient(url, retries=0)
    shown = [repr(client), client.label]
    endpoint.close()
    redaction.redact_logs()
    try:
        with caplog.at_level(logging.DEBUG), pytest.raises(RpcUnreachable) as caught:
            client.request("eth_blockNumber")
        logging.getLogger("x").warning("asking %s", url)
        failure = ValueError(f"bad url {url}")
        logging.getLogger("y").error("failed", exc_info=failure)
    finally:
        logging.setLogRecordFactory(logging.LogRecord)
    error: BaseException | None = caught.value
    while error is not None:
        shown.append(str(error))
        error = error.__cause__
    shown.append(caplog.text)
    for secret in (KEY, "hunter2", "someuser", "abcdef123"):
        assert not any(secret in text for text in shown), secret
    assert "127.0.0.1" in shown[0]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (
            "https://mainnet.infura.io/v3/0123456789abcdef0123456789abcdef",
            "https://mainnet.infura.io/v3/***",
        ),
        ("see https://host.example/rpc?key=abc.", "see https://host.example/rpc?***."),
        ("wss://u:p@host.example:8546/", "wss://***@host.example:8546/"),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        (
            "https://forum.example/t/arfc-weth-liquidation-threshold-2026/12345",
            "https://forum.example/t/arfc-weth-liquidation-threshold-2026/12345",
        ),
        ("http://[broken", "***"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_redaction_of_urls_never_seen_before(text, masked):
    assert redaction.redact(text) == masked


def test_a_url_that_cannot_be_read_is_refused_unquoted():
    with pytest.raises(ConfigurationError, match="cannot be read") as refused:
        RpcClient("http://[secret-key")
    assert "secret-key" not in str(refused.value)
