"""A fork whose endpoints fail under it goes on through the next one."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from evaluator.chain import rpc
from evaluator.chain.anvil import Anvil
from evaluator.chain.forwarder import Forwarder
from evaluator.chain.rpc import RpcClient
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import RpcError, WrongChain

pytestmark = pytest.mark.chain

KEY = "keyThatNobodyShouldSee777"


class Front:
    """An endpoint in front of a real anvil that can be switched to failing."""

    def __init__(self, target: str) -> None:
        self.failing = 0  # HTTP status to answer instead; 0 is none
        self.requests = 0
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                """Keep quiet."""

            def do_POST(self) -> None:
                front.requests += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, content = front.failing, b"no"
                if not status:
                    headers = {"Content-Type": "application/json"}
                    reply = requests.post(target, data=body, headers=headers, timeout=20)
                    status, content = 200, reply.content
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v2/{KEY}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def fronts(bare):
    both = [Front(bare.rpc.urls[0]), Front(bare.rpc.urls[0])]
    yield both
    for front in both:
        front.close()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(rpc, "sleep", lambda seconds: None)


@pytest.mark.parametrize("status", [429, 502])
def test_a_fork_outlives_its_first_endpoint(feed, fronts, status):
    first, second = fronts
    with Sandbox.fork([first.url, second.url]) as fork:
        used = second.requests
        first.failing = status
        there = fork.contract(feed.address, feed.abi)
        there.send("push", 9, sender="0x" + "aa" * 20)  # reads slots never seen before
        assert there.call("latestRoundData").answer == 9
        assert second.requests > used


def test_no_key_is_in_the_process_list(feed, fronts):
    with Sandbox.fork([front.url for front in fronts]) as fork:
        commands = b"".join(
            path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
        )
        assert fork.block_number() > 0
        assert b"anvil" in commands
        assert KEY.encode() not in commands


def test_another_chain_behind_the_second_url_is_never_read(bare, feed, fronts):
    with Anvil(chain_id=99) as other, Sandbox.fork([fronts[0].url, other.url]) as fork:
        fronts[0].failing = 503
        there = fork.contract(feed.address, feed.abi)
        with pytest.raises((RpcError, WrongChain)):
            there.call("description")


def test_errors_and_batches_pass_through(bare, feed):
    with Forwarder(RpcClient(bare.rpc.urls)) as door:
        client = RpcClient(door.url, retries=0)
        assert client.chain_id == 31337
        bad = {"to": feed.address, "data": "0x" + feed.encode("getRoundData", 99).hex()}
        with pytest.raises(RpcError, match="revert") as caught:
            client.request("eth_call", [bad, "latest"])
        assert caught.value.data == "0x" + "bad1e8f8"
        answers = client.batch([("eth_blockNumber", []), ("nonsense", [])])
        assert answers[0] == hex(bare.block_number())
        assert isinstance(answers[1], RpcError)
        assert requests.post(door.url, data=b"garbage", timeout=5).json()["error"]["code"] == -32600
