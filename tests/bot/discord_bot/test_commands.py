"""The commands in discord.py's real machinery against simcord's Discord, without a wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import discord
import discord_toy
import pytest
from pydantic import SecretStr

from bot.database import open_database, rows
from bot.deck import Deck, Hold
from bot.discord_bot.client import SeatrialClient
from bot.discord_bot.desk import Desk
from bot.discord_bot.subscriptions.store import SubscriptionStore
from bot.evaluation import EvaluationOrder, JobKind
from bot.evaluations import EvaluationStore
from bot.jobs import JobQueue, NewJob
from bot.outbox import Outbox
from bot.posts import Chorus
from bot.scheduling import Scheduler
from bot.settings import DiscordSettings, Settings
from bot.surveyor import Surveyor
from bot.surveys import Survey, SurveyedParameter, SurveyStore
from bot.workshop import Workshop

# Refusals are errors of the command that the user is told of.
refusing = pytest.mark.simcord(check_errors=False, settle_timeout=120.0)
# Also the end of a test waits so long for threads: the first report imports what draws it.
pytestmark = pytest.mark.simcord(settle_timeout=120.0)
GOVERNOR = "0x" + "11" * 20
HOSTILE = "@everyone [free](https://evil.example) `rm` **now**"


class NoEvaluator:
    """Nothing is evaluated here: jobs stay where the commands put them."""


@pytest.fixture
def discord_settings() -> DiscordSettings:
    return DiscordSettings(token=SecretStr("t" * 30), cooldown=60.0, hourly=20)


@pytest.fixture
def deck(tmp_path: Path, discord_settings: DiscordSettings) -> Iterator[Deck]:
    settings = Settings.model_validate(
        {
            "chains": [{"name": "test", "chain_id": 1, "urls": ["http://127.0.0.1:1"]}],
            "governors": [{"chain": "test", "address": GOVERNOR, "name": "Sea DAO"}],
            "evaluation": {"user_limit": 3},
            "discord": discord_settings,
        }
    )
    database = open_database(tmp_path / "bot.db")
    for number, title in ((1, "Lower the cap"), (2, HOSTILE)):
        database["proposals"].insert(
            {"chain": "test", "governor": GOVERNOR, "number": str(number), "proposer": "0x0",
             "title": title, "description": "", "created_block": number, "created_at": number,
             "state": "active"}
        )  # fmt: skip
    store, outbox = EvaluationStore(database), Outbox(database)
    hold = Hold(
        settings=settings,
        database=database,
        queue=JobQueue(database, settings.evaluation),
        store=store,
        outbox=outbox,
        surveys=SurveyStore(database),
    )
    chorus = Chorus(store, [])
    workshop = Workshop(
        database,
        queue=hold.queue,
        store=store,
        outbox=outbox,
        evaluator=NoEvaluator(),
        composer=chorus,
        settings=settings.evaluation,
    )
    scheduler = Scheduler(
        database,
        settings,
        queue=hold.queue,
        store=store,
        outbox=outbox,
        surveys=hold.surveys,
        herald=chorus,
    )
    yield Deck(
        hold=hold,
        scheduler=scheduler,
        workshop=workshop,
        surveyor=Surveyor(settings, hold.surveys, NoEvaluator()),
        followers=(),
        on_posts=lambda: None,
    )
    database.close()


@pytest.fixture
def simcord_bot(deck: Deck, discord_settings: DiscordSettings) -> SeatrialClient:
    client = SeatrialClient()
    client.take(Desk(deck, discord_settings, SubscriptionStore(deck.hold.database)))
    return client


@pytest.fixture
def channel(simcord_env):
    return simcord_env.create_guild().create_text_channel("governance")


@pytest.fixture
def alice(simcord_env, channel):
    return simcord_env.guild.add_member(simcord_env.create_user("alice"))


def _evaluated(deck: Deck, reports: Path, seed: int = 2) -> int:
    """Store an evaluation of the first proposal and return its row."""
    order = EvaluationOrder(
        kind=JobKind.EVALUATION, chain="test", chain_id=1, governor=GOVERNOR, proposal="1",
        seed=seed,
    )  # fmt: skip
    job = deck.hold.queue.add(
        NewJob(key=f"k{seed}", owner="governor", reason="created", order=order, proposal_id=1)
    )
    taken = deck.hold.queue.take("worker")
    assert taken is not None
    with deck.hold.database.atomic():
        deck.hold.queue.finished(taken, "worker")
        return deck.hold.store.add(job, discord_toy.finished(order, reports)).id


async def test_proposals_are_suggested_newest_first_and_ring_nobody(
    simcord_env, channel, alice
) -> None:
    found = await alice.autocomplete(channel, "simulate", "proposal", "")
    names = [choice.name if hasattr(choice, "name") else choice["name"] for choice in found]
    assert names[1] == "Sea DAO 1: Lower the cap"
    assert names[0].startswith("Sea DAO 2: @")
    assert "@everyone" not in names[0]


@refusing
async def test_simulate_queues_an_evaluation_and_keeps_the_pace(
    simcord_env, channel, alice, deck
) -> None:
    result = await alice.slash(channel, "simulate", proposal="1", seed=0, paths=500)
    assert result.deferred
    assert not result.ephemeral
    (job,) = deck.hold.queue.open_jobs()
    assert (job.order.seed, job.order.paths, job.reason) == (0, 500, "asked")
    again = await alice.slash(channel, "simulate", proposal="1")
    assert again.ephemeral
    assert again.response.content.startswith("Wait ")
    assert len(deck.hold.queue.open_jobs()) == 1


@refusing
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "Choose a proposal"),
        ({"proposal": "77"}, "no such proposal"),
        ({"proposal": "1", "scenario": "doomsday"}, "no such scenario"),
        ({"proposal": "1", "paths": 9_000_000}, "paths"),
        ({"parameter": "aave_v3.WETH.ltv"}, "new value"),
        ({"parameter": "$(rm)", "value": "1"}, "A draft is"),
    ],
)
async def test_a_wish_that_cannot_be_is_refused_in_a_sentence(
    simcord_env, channel, alice, deck, options, words
) -> None:
    result = await alice.slash(channel, "simulate", **options)
    assert result.ephemeral
    assert words in result.response.content
    assert deck.hold.queue.open_jobs() == []


async def test_report_shows_charts_and_buttons_that_survive_a_restart(
    simcord_env, channel, alice, deck, reports, discord_settings
) -> None:
    number = _evaluated(deck, reports)
    result = await alice.slash(channel, "report", proposal="1")
    (message,) = result.followups or [result.response]
    assert "price paths over" in message.content
    assert message.embeds[0].title.startswith("CAUTION")
    assert len(message.attachments) == 2
    fresh = SeatrialClient()
    fresh.take(Desk(deck, discord_settings, SubscriptionStore(deck.hold.database)))
    await simcord_env.restart_bot(fresh)
    pressed = await alice.click(channel.last_message, label="Assumptions")
    assert pressed.ephemeral
    assert pressed.response.embeds[0].title == f"Assumptions of evaluation {number}"


async def test_only_managers_subscribe(simcord_env, channel, alice, deck) -> None:
    guild = simcord_env.guild
    role = guild.create_role("Ops", permissions=discord.Permissions(manage_guild=True))
    boss = guild.add_member(simcord_env.create_user("boss"), roles=[role])
    governor = f"test:{GOVERNOR}"
    result = await boss.slash(channel, "subscribe", channel=channel, governor=governor, role=role)
    assert "now hears of Sea DAO" in result.response.content
    (kept,) = rows(deck.hold.database, "SELECT * FROM subscriptions")
    assert (kept["channel"], kept["severity"]) == (str(channel.id), "PASS")
    assert kept["role"] == str(role.id)
    result = await boss.slash(channel, "unsubscribe", channel=channel, governor=governor)
    assert "hears no more" in result.response.content
    assert rows(deck.hold.database, "SELECT * FROM subscriptions") == []


@refusing
async def test_an_error_of_ours_is_a_sentence_with_a_code(
    simcord_env, channel, alice, deck, caplog, monkeypatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(deck.hold.store.__class__, "proposals", broken)
    result = await alice.slash(channel, "proposals")
    assert result.ephemeral
    assert "Something went wrong here" in result.response.content
    assert "fault of ours" not in result.response.content
    code = result.response.content.rsplit(" ", 1)[1].rstrip(".")
    traced = [r for r in caplog.records if code in r.getMessage()]
    assert traced
    assert traced[0].exc_info


async def test_lists_status_and_help_state_their_basis(
    simcord_env, channel, alice, deck, reports
) -> None:
    _evaluated(deck, reports)
    listed = (await alice.slash(channel, "proposals")).response.embeds[0]
    assert "price paths over" in listed.fields[1].value
    assert "@everyone" not in listed.fields[0].name
    for name in ("status", "help"):
        result = await alice.slash(channel, name)
        assert result.ephemeral
        assert "price paths over 7 days" in result.response.content


async def test_parameters_are_suggested_with_their_present_values(
    simcord_env, channel, alice, deck
) -> None:
    def names(found) -> list[str]:
        return [choice.name if hasattr(choice, "name") else choice["name"] for choice in found]

    assert await alice.autocomplete(channel, "simulate", "parameter", "") == []
    paths = [f"aave_v3.{symbol}.{name}" for symbol in ("WBTC", "WETH")
             for name in ("active", "ltv", "liquidation_threshold", "supply_cap")]  # fmt: skip
    hostile = SurveyedParameter(path="aave_v3.@everyone x.ltv", label="x", shown="1")
    deck.hold.surveys.put(
        "test",
        GOVERNOR,
        Survey(
            block=1,
            parameters=(
                *(SurveyedParameter(path=path, label=path, shown="80%") for path in paths),
                hostile,
            ),
            reserves=(),
        ),
    )
    found = names(await alice.autocomplete(channel, "simulate", "parameter", ""))
    assert found[:2] == [
        "aave_v3.WBTC.liquidation_threshold (now 80%)",
        "aave_v3.WETH.liquidation_threshold (now 80%)",
    ]
    assert len(found) == len(paths)
    assert names(await alice.autocomplete(channel, "simulate", "parameter", "weth ltv")) == [
        "aave_v3.WETH.ltv (now 80%)"
    ]
    desk = Desk(
        deck, DiscordSettings(token=SecretStr("t" * 30)), SubscriptionStore(deck.hold.database)
    )
    assert len(desk.suggestions.parameters("", f"test:{GOVERNOR}")) == len(paths)
    assert desk.suggestions.parameters("", "test:0x" + "99" * 20) == []


async def test_a_draft_is_queued_with_its_markets(
    simcord_env, channel, alice, deck, reports
) -> None:
    _evaluated(deck, reports)
    result = await alice.slash(
        channel, "simulate", parameter="aave_v3.WETH.ltv", value="0.7", seed=3
    )
    assert result.deferred
    (job,) = deck.hold.queue.open_jobs()
    assert job.kind is JobKind.DRAFT
    assert job.order.draft == {"parameter": "aave_v3.WETH.ltv", "value": "0.7"}
    named = json.loads((reports / "caution.json").read_text())["report"]
    assert set(job.order.markets) == {m["address"] for m in json.loads(named)["markets"]}


async def test_two_evaluations_are_compared_row_by_row(
    simcord_env, channel, alice, deck, reports
) -> None:
    one, other = _evaluated(deck, reports, seed=2), _evaluated(deck, reports, seed=1)
    found = await alice.autocomplete(channel, "compare", "first", "fail")
    (choice,) = [c.value if hasattr(c, "value") else c["value"] for c in found]
    assert choice == str(other)
    result = await alice.slash(channel, "compare", first=str(one), second=str(other))
    (message,) = result.followups or [result.response]
    (embed,) = message.embeds
    assert embed.title == f"Evaluations {one} and {other}"
    rows_shown = {field.name: field.value for field in embed.fields}
    verdict = next(value for name, value in rows_shown.items() if "erdict" in name)
    assert "CAUTION" in verdict.splitlines()[0]
    assert "FAIL" in verdict.splitlines()[1]
    assert embed.footer.text.count("price paths over") == 2


@refusing
async def test_comparing_what_is_not_there_is_refused(simcord_env, channel, alice, deck) -> None:
    result = await alice.slash(channel, "compare", first="1", second="x")
    assert result.ephemeral
    assert "no such evaluation" in result.response.content


async def test_the_baseline_button_shows_today_beside_after(
    simcord_env, channel, alice, deck, reports
) -> None:
    number = _evaluated(deck, reports)
    await alice.slash(channel, "report", proposal="1")
    pressed = await alice.click(channel.last_message, label="Compare with today")
    assert pressed.ephemeral
    (message,) = pressed.followups or [pressed.response]
    (embed,) = message.embeds
    assert embed.title == f"Evaluation {number}: today and after"
    first = embed.fields[0].value.splitlines()
    assert first[0].startswith("today ")
    assert any(line.startswith("paired difference ") for line in first)
    assert "price paths over" in embed.footer.text
