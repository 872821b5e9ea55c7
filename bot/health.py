"""/healthz and /metrics on loopback."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from bot.database import scalar
from bot.deck import Deck, Side
from bot.errors import ConfigurationError
from bot.follower import ChainFollower
from bot.settings import OperationSettings

log = logging.getLogger(__name__)

QUIET_POLLS = 10  # polls after which a chain that was not looked at is in trouble
QUIET_AT_LEAST = 120.0  # seconds


def chain_trouble(follower: ChainFollower, *, now: float) -> str:
    """Return what is wrong with following a chain, "" if nothing is."""
    if follower.broken:
        return follower.trouble
    patience = max(QUIET_AT_LEAST, QUIET_POLLS * follower.settings.poll)
    quiet = now - follower.looked_at
    if quiet > patience:
        return f"not read for {quiet:.0f} s: {follower.trouble or 'it hangs'}"
    return ""


def health_of(deck: Deck, sides: Sequence[Side], *, now: float) -> dict[str, object]:
    """Return the state of the bot as a JSON object; "status" is "ok" or "trouble"."""
    chains = []
    for follower in deck.followers:
        step = follower.last
        chains.append(
            {
                "chain": follower.settings.name,
                "head": step.head if step else None,
                "read": step.read if step else None,
                "last_failure": follower.trouble,
                "trouble": chain_trouble(follower, now=now),
            }
        )
    troubles = [str(chain["trouble"]) for chain in chains]
    troubles += [side.health() for side in sides]
    try:
        scalar(deck.hold.database, "SELECT count(*) FROM cursors")
    except sqlite3.Error as error:
        troubles.append(f"the database does not answer: {error}")
    oldest = deck.hold.outbox.oldest_open()
    return {
        "status": "trouble" if any(troubles) else "ok",
        "troubles": [trouble for trouble in troubles if trouble],
        "chains": chains,
        "jobs": deck.hold.queue.counts(),
        "outbox": {
            f"{target}/{state}": n for (target, state), n in deck.hold.outbox.counts().items()
        },
        "oldest_undelivered_seconds": oldest,
    }


class BotCollector(Collector):
    """The bot's figures, read from the database when they are asked for."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck

    def describe(self) -> Iterable[Metric]:
        """Return nothing: figures are known when they are collected."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield all figures."""
        yield from self._chains()
        jobs = GaugeMetricFamily("seatrial_jobs", "Evaluations by state", labels=["state"])
        for state, n in self._deck.hold.queue.counts().items():
            jobs.add_metric([state], n)
        yield jobs
        outbox = GaugeMetricFamily(
            "seatrial_outbox_entries", "Posts by target and state", labels=["target", "state"]
        )
        for (target, state), n in self._deck.hold.outbox.counts().items():
            outbox.add_metric([target, state], n)
        yield outbox
        oldest = self._deck.hold.outbox.oldest_open()
        yield GaugeMetricFamily(
            "seatrial_outbox_oldest_seconds",
            "Age of the oldest post that is neither delivered nor with a moderator",
            value=oldest or 0.0,
        )

    def _chains(self) -> Iterator[Metric]:
        families = {
            "head": GaugeMetricFamily(
                "seatrial_chain_head_block", "Newest block seen", labels=["chain"]
            ),
            "read": GaugeMetricFamily(
                "seatrial_chain_read_block", "Newest block read", labels=["chain"]
            ),
            "quiet": GaugeMetricFamily(
                "seatrial_chain_quiet_seconds", "Time since the last step", labels=["chain"]
            ),
            "broken": GaugeMetricFamily(
                "seatrial_chain_broken", "1 if a final block was replaced", labels=["chain"]
            ),
            "proposals": GaugeMetricFamily(
                "seatrial_proposals", "Proposals known", labels=["chain"]
            ),
            "events": GaugeMetricFamily("seatrial_events", "Events known", labels=["chain"]),
            "quarantine": GaugeMetricFamily(
                "seatrial_quarantined_logs", "Logs kept unread", labels=["chain"]
            ),
        }
        for follower in self._deck.followers:
            name = [follower.settings.name]
            if follower.last is not None:
                families["head"].add_metric(name, follower.last.head)
                families["read"].add_metric(name, follower.last.read)
            families["quiet"].add_metric(name, time.monotonic() - follower.looked_at)
            families["broken"].add_metric(name, float(follower.broken))
            for table, n in follower.journal.counts().items():
                families[table].add_metric(name, n)
        yield from families.values()


class HealthServer:
    """Serves health and figures; an async context manager."""

    def __init__(self, deck: Deck, sides: Sequence[Side], settings: OperationSettings) -> None:
        self._deck = deck
        self._sides = sides
        self._settings = settings
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._registry.register(BotCollector(deck))
        self._runner: web.AppRunner | None = None
        self.port = settings.health_port

    async def __aenter__(self) -> HealthServer:
        """Listen. Raises ConfigurationError if the port is taken."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
        await self._runner.setup()
        host = self._settings.health_host
        site = web.TCPSite(self._runner, host, self._settings.health_port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigurationError(
                f"port {self._settings.health_port} on {host} cannot be used ({error.strerror}): "
                "change [operation] health_port"
            ) from error
        self.port = int(self._runner.addresses[0][1])
        log.info("health is served on http://%s:%d/healthz", host, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        health = health_of(self._deck, self._sides, now=time.monotonic())
        return web.json_response(health, status=200 if health["status"] == "ok" else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
