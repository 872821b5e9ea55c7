"""`seatrial-bot check`: looks at everything the settings name, changes nothing."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Sequence

import websockets

from bot.chain_reading import ChainReader
from bot.database import claim, open_database
from bot.deck import Finding, Hold
from bot.errors import ConfigurationError, SeatrialError
from bot.evaluations import EvaluationStore
from bot.jobs import JobQueue
from bot.outbox import Outbox
from bot.service import sides_of
from bot.settings import ChainSettings, GovernorSettings, Settings
from bot.surveys import SurveyStore
from evaluator import RpcClient, RpcError, redact

PROBE_SECONDS = 60.0  # for loading the evaluator


async def check(settings: Settings) -> AsyncIterator[Finding]:
    """Yield findings as they are made, the quick ones first."""
    hold = None
    try:
        hold = _hold(settings)
        yield Finding(what=f"database {settings.operation.database}")
    except ConfigurationError as error:
        yield Finding(what=f"database {settings.operation.database}", fault=str(error))
    try:
        with claim(settings.operation.database):
            pass
    except ConfigurationError:
        yield Finding(what="this database's bot", note="it is running now")
    else:
        yield _port(settings)
    for chain in settings.chains:
        for finding in await _chain(chain, settings.governors_of(chain.name)):
            yield finding
    yield await _entry_point(settings)
    if hold is None:
        return
    try:
        for make in sides_of(settings):
            for finding in await make(hold).check():
                yield finding
    except SeatrialError as error:
        yield Finding(what="targets", fault=str(error))
    finally:
        hold.database.close()
    if settings.discourse is None and settings.discord is None:
        yield Finding(
            what="targets", note="neither [discourse] nor [discord]: nothing is published"
        )


def _hold(settings: Settings) -> Hold:
    database = open_database(settings.operation.database)
    return Hold(
        settings=settings,
        database=database,
        queue=JobQueue(database, settings.evaluation),
        store=EvaluationStore(database),
        outbox=Outbox(database),
        surveys=SurveyStore(database),
    )


def _port(settings: Settings) -> Finding:
    operation = settings.operation
    what = f"health port {operation.health_port}"
    family = socket.AF_INET6 if ":" in operation.health_host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((operation.health_host, operation.health_port))
        except OSError as error:
            return Finding(what=what, fault=f"it cannot be used: {error.strerror}")
    return Finding(what=what)


async def _chain(chain: ChainSettings, governors: Sequence[GovernorSettings]) -> list[Finding]:
    findings = []
    for position, url in enumerate(chain.urls, start=1):
        what = f"chain {chain.name}, endpoint {position}"
        try:
            rpc = RpcClient(url.get_secret_value(), timeout=chain.timeout, retries=0)
            findings += await _endpoint(rpc, chain, governors, what)
        except SeatrialError as error:
            findings.append(Finding(what=what, fault=redact(str(error))))
    if not governors:
        findings.append(Finding(what=f"chain {chain.name}", note="no governor is followed on it"))
    if chain.websocket is not None:
        findings.append(await _websocket(chain))
    return findings


async def _endpoint(
    rpc: RpcClient, chain: ChainSettings, governors: Sequence[GovernorSettings], what: str
) -> list[Finding]:
    reader = ChainReader(rpc, chain_id=chain.chain_id, name=chain.name)
    try:
        await reader.check()
        head = await reader.head()
        final = await reader.final(head, tag=chain.finality == "tag", depth=chain.finality_depth)
        findings = [Finding(what=what, note=f"{rpc.label} at block {head.number}, final {final}")]
        for governor in governors:
            named = f"{what}, governor {governor.name}"
            code = await asyncio.to_thread(rpc.request, "eth_getCode", [governor.address, "latest"])
            if not isinstance(code, str) or len(code) <= 2:
                fault = f"there is no contract at {governor.address} on chain {chain.chain_id}"
                findings.append(Finding(what=named, fault=fault))
                continue
            try:
                await reader.logs_in_range([governor.address], head.number, head.number)
            except RpcError as error:
                findings.append(Finding(what=named, fault=f"eth_getLogs: {redact(str(error))}"))
            else:
                findings.append(Finding(what=named))
        return findings
    finally:
        reader.close()


async def _websocket(chain: ChainSettings) -> Finding:
    what = f"chain {chain.name}, websocket"
    if chain.websocket is None:
        return Finding(what=what)
    try:
        async with websockets.connect(chain.websocket.get_secret_value(), open_timeout=10):
            return Finding(what=what)
    except (OSError, TimeoutError, websockets.WebSocketException) as error:
        return Finding(what=what, fault=f"no connection: {type(error).__name__}")


async def _entry_point(settings: Settings) -> Finding:
    """Load the evaluator where it will run: in a process of its own."""
    name = settings.evaluation.entry_point
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot.evaluation_process",
        "--probe",
        name,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await asyncio.wait_for(process.communicate(), PROBE_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        return Finding(what=f"evaluator {name}", fault=f"not loaded within {PROBE_SECONDS:.0f} s")
    if process.returncode == 0:
        return Finding(what=f"evaluator {name}")
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return Finding(what=f"evaluator {name}", fault=lines[-1] if lines else "it cannot be loaded")
