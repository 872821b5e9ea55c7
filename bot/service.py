"""The whole bot: puts the parts together, runs them, ends them in order."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import signal
import time
from collections.abc import Callable, Sequence

from bot.chain_reading import ChainReader
from bot.courier import Courier
from bot.database import claim, open_database
from bot.deck import Deck, Hold, Side
from bot.discourse_side import DiscourseSide
from bot.errors import ConfigurationError
from bot.evaluation import Evaluator
from bot.evaluations import EvaluationStore
from bot.follower import ChainFollower
from bot.health import HealthServer
from bot.jobs import JobQueue
from bot.outbox import Outbox
from bot.posts import Chorus
from bot.scheduling import Scheduler
from bot.settings import ChainSettings, Settings
from bot.surveyor import Surveyor
from bot.surveys import SurveyStore
from bot.wakeup import wake_on_new_heads
from bot.worker import SubprocessEvaluator
from bot.workshop import Workshop
from evaluator import RpcClient

log = logging.getLogger(__name__)

MakeSide = Callable[[Hold], Side]
DISCORD = "bot.discord_bot.side:DiscordSide"  # called with the Hold


def sides_of(settings: Settings) -> list[MakeSide]:
    """Return what makes the sides that the settings ask for."""
    sides: list[MakeSide] = []
    if settings.discourse is not None:
        sides.append(lambda hold: DiscourseSide(hold.settings))
    if settings.discord is not None:
        module, _, name = DISCORD.partition(":")
        try:
            sides.append(getattr(importlib.import_module(module), name))
        except (ImportError, AttributeError) as error:
            raise ConfigurationError(
                f"the settings ask for Discord, which cannot be loaded: {error}; "
                "install seatrial[bot], or take [discord] out"
            ) from error
    return sides


class Service:
    """A bot that runs until `stop` is called or a part of it fails."""

    def __init__(
        self,
        settings: Settings,
        *,
        sides: Sequence[MakeSide] | None = None,
        evaluator: Evaluator | None = None,
    ) -> None:
        self._settings = settings
        self._make_sides = sides_of(settings) if sides is None else list(sides)
        self._evaluator = evaluator
        self._stop = asyncio.Event()
        self.ready = asyncio.Event()  # set when everything runs
        self.health_port = 0  # where health is served once it is ready

    def stop(self) -> None:
        """Begin an orderly end."""
        self._stop.set()

    async def run(self) -> None:
        """Run until stopped. Raises what a part failed with."""
        path = self._settings.operation.database
        with claim(path):
            database = open_database(path)
            try:
                hold = Hold(
                    settings=self._settings,
                    database=database,
                    queue=JobQueue(database, self._settings.evaluation),
                    store=EvaluationStore(database),
                    outbox=Outbox(database),
                    surveys=SurveyStore(database),
                )
                await self._run(hold)
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                database.close()

    async def _run(self, hold: Hold) -> None:
        # The database is ours alone: whoever held a lease or a delivery is dead.
        taken = hold.queue.retake_abandoned()
        doubtful = hold.outbox.resume(settle=self._settings.outbox.settle)
        if taken or doubtful:
            log.warning(
                "the last run ended abruptly: %d job(s) begun again, %d post(s) looked for",
                taken,
                doubtful,
            )
        sides = [make(hold) for make in self._make_sides]
        couriers = [
            Courier(hold.outbox, target, self._settings.outbox)
            for side in sides
            for target in side.targets
        ]
        deck = self._deck(hold, sides, couriers)
        async with contextlib.AsyncExitStack() as stack:
            for side in sides:
                await stack.enter_async_context(side)
            health = HealthServer(deck, sides, self._settings.operation)
            await stack.enter_async_context(health)
            self.health_port = health.port
            await self._serve(deck, sides, couriers)

    def _deck(self, hold: Hold, sides: Sequence[Side], couriers: Sequence[Courier]) -> Deck:
        def posts() -> None:
            for courier in couriers:
                courier.wake()

        chorus = Chorus(hold.store, [side.voice for side in sides])
        evaluator = self._evaluator or SubprocessEvaluator(
            self._settings.evaluation,
            urls={c.name: [u.get_secret_value() for u in c.urls] for c in self._settings.chains},
            work=self._settings.operation.work,
            report=lambda evaluation: hold.store.text(evaluation, "report"),
        )
        workshop = Workshop(
            hold.database,
            queue=hold.queue,
            store=hold.store,
            outbox=hold.outbox,
            evaluator=evaluator,
            composer=chorus,
            settings=self._settings.evaluation,
            on_posts=posts,
        )
        scheduler = Scheduler(
            hold.database,
            self._settings,
            queue=hold.queue,
            store=hold.store,
            outbox=hold.outbox,
            surveys=hold.surveys,
            herald=chorus,
            on_jobs=workshop.wake,
            on_posts=posts,
        )
        surveyor = Surveyor(self._settings, hold.surveys, evaluator)
        followers = [self._follower(hold, chain, scheduler) for chain in self._settings.chains]
        return Deck(
            hold=hold,
            scheduler=scheduler,
            workshop=workshop,
            surveyor=surveyor,
            followers=followers,
            on_posts=posts,
        )

    def _follower(self, hold: Hold, chain: ChainSettings, scheduler: Scheduler) -> ChainFollower:
        governors = self._settings.governors_of(chain.name)
        rpc = RpcClient(
            [url.get_secret_value() for url in chain.urls],
            timeout=chain.timeout,
            expected_chain_id=chain.chain_id,
            retries=1,
        )
        return ChainFollower(
            hold.database,
            chain,
            governors={governor.address: governor.start_block for governor in governors},
            reader=ChainReader(rpc, chain_id=chain.chain_id, name=chain.name),
            aftermath=scheduler,
            feeds=sorted({feed for governor in governors for feed in governor.feeds}),
        )

    async def _serve(self, deck: Deck, sides: Sequence[Side], couriers: Sequence[Courier]) -> None:
        """Run all parts until the stop; then let them end, in time."""
        parts = [
            *(
                asyncio.create_task(f.run(), name=f"chain {f.settings.name}")
                for f in deck.followers
            ),
            *(asyncio.create_task(c.run(), name=f"courier {c.name}") for c in couriers),
            asyncio.create_task(deck.workshop.run(), name="workshop"),
            asyncio.create_task(deck.surveyor.run(), name="surveyor"),
        ]
        # These have no work of their own to finish and end by being cancelled.
        listeners = [
            asyncio.create_task(
                wake_on_new_heads(f.settings.websocket, f.wake, name=f.settings.name),
                name=f"websocket {f.settings.name}",
            )
            for f in deck.followers
            if f.settings.websocket is not None
        ]
        listeners += [asyncio.create_task(side.run(deck), name="side") for side in sides]
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        self.ready.set()
        log.info("the bot runs: %d chain(s), %d target(s)", len(deck.followers), len(couriers))
        try:
            await _until_stop_or_failure(stop, [*parts, *listeners])
        finally:
            began = time.monotonic()
            await _cancel([stop, *listeners])
            for follower in deck.followers:
                follower.stop()
            for courier in couriers:
                courier.stop()
            deck.workshop.stop()
            deck.surveyor.stop()
            pending = [part for part in parts if not part.done()]
            if pending:
                await asyncio.wait(pending, timeout=self._settings.operation.stop_grace)
            await _cancel(parts)
            for follower in deck.followers:
                follower.close()
            log.info("the bot has stopped, in %.1f s", time.monotonic() - began)


async def _until_stop_or_failure(
    stop: asyncio.Task[bool], tasks: Sequence[asyncio.Task[None]]
) -> None:
    """Return when `stop` is done; raise what one of `tasks` failed with."""
    waiting: set[asyncio.Task[bool] | asyncio.Task[None]] = {stop, *tasks}
    while stop in waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                log.critical("%s failed; the bot stops", task.get_name(), exc_info=error)
                raise error


async def _cancel(tasks: Sequence[asyncio.Task[None] | asyncio.Task[bool]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


async def run_service(settings: Settings) -> None:
    """Run a bot until SIGTERM or SIGINT; a second signal ends it at once."""
    service = Service(settings)
    loop = asyncio.get_running_loop()

    def stop(name: str) -> None:
        log.info("%s: the bot stops", name)
        service.stop()
        for other in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(other)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, signal.Signals(number).name)
    await service.run()
