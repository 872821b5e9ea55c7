"""The real evaluator in the real worker process, on the embedded chain."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.database import open_database, rows
from bot.deck import Deck, Hold
from bot.discord_bot.desk import Desk, Reply, Wish
from bot.discord_bot.permission import Asker
from bot.discord_bot.publishing.voice import DiscordVoice
from bot.discord_bot.subscriptions.store import SubscriptionStore
from bot.discourse_text import charts_named, post_body
from bot.evaluation import EvaluationOrder, JobKind, Progress
from bot.evaluations import EvaluationStore
from bot.jobs import JobQueue, JobState
from bot.outbox import Outbox
from bot.posts import Chorus
from bot.scheduling import Scheduler
from bot.settings import DiscordSettings, EvaluationSettings, Settings
from bot.surveyor import Surveyor
from bot.surveys import SurveyStore
from bot.worker import SubprocessEvaluator
from bot.workshop import Workshop
from evaluator import Deployment, Sandbox, open_governor, propose_weth_threshold_cut
from evaluator.chain.embedded.proposals import ProposalRef
from evaluator.data_files import data_path

pytestmark = [pytest.mark.chain, pytest.mark.slow, pytest.mark.timeout(900)]


PATHS = 30


def _evaluator(sandbox: Sandbox, work: Path, report: str = "") -> SubprocessEvaluator:
    return SubprocessEvaluator(
        EvaluationSettings(time_limit=900.0),
        urls={"anvil": sandbox.rpc.urls},
        work=work,
        report=lambda _: report,
    )


def _few_attacks(folder: Path) -> str:
    """Write a policy with a short search for attacks: the whole one has tests of its own."""
    policy = (data_path("templates") / "policy.toml").read_text(encoding="utf-8")
    path = folder / "policy.toml"
    path.write_text(policy.replace("sequences = 200", "sequences = 4"), encoding="utf-8")
    return str(path)


async def test_a_proposal_is_evaluated_executed_and_scored(
    whole_chain: Sandbox, deployment: Deployment, tmp_path: Path
) -> None:
    proposal = propose_weth_threshold_cut(whole_chain, deployment)
    whole_chain.mine()
    heard: list[Progress] = []
    work = tmp_path / "work"
    work.mkdir()
    order = EvaluationOrder(
        kind=JobKind.EVALUATION,
        chain="anvil",
        chain_id=whole_chain.chain_id,
        governor=proposal.governor,
        proposal=str(proposal.proposal_id),
        paths=PATHS,
        policy=_few_attacks(tmp_path),
    )
    result = await _evaluator(whole_chain, work).evaluate(order, progress=heard.append)
    assert result.verdict in {"PASS", "CAUTION", "FAIL", "INCONCLUSIVE"}
    report = json.loads(result.report)
    assert report["headline"]["verdict"] == result.verdict
    assert result.block == report["proposal"]["block"]
    assert result.digest
    assert json.loads(result.embed)["title"]
    assert "survival" in result.charts
    assert result.charts["survival"].startswith(b"\x89PNG")
    assert set(charts_named(result.markdown)) <= set(result.charts)
    assert charts_named(result.markdown)
    body = post_body(result.markdown, reference="st0123456789abcdef", limit=32_000)
    assert len(body) <= 32_000
    assert len({note.stage for note in heard}) >= 4
    assert list(work.iterdir()) == []

    # What the evaluation predicted, held against a real execution on the same chain.
    trace = await asyncio.to_thread(_execute, whole_chain, deployment, proposal)
    card = await _evaluator(whole_chain, work, result.report).evaluate(
        replace(order, kind=JobKind.SCORECARD, prediction=1, block=trace), progress=heard.append
    )
    assert card.verdict == "AS PREDICTED", card.headline
    assert card.block > trace
    found = json.loads(card.report)["scorecard"]
    assert found["executed_block"] == trace
    assert {p["agreement"] for p in found["parameters"]} == {"as predicted"}
    assert post_body(card.markdown, reference="st0123456789abcdef", limit=32_000)


def _execute(sandbox: Sandbox, deployment: Deployment, proposal: ProposalRef) -> int:
    """Take the proposal through its governor; return the block it was executed in."""
    governor = open_governor(sandbox, proposal.governor)
    trace = governor.execute(
        sandbox,
        governor.find(sandbox, proposal.proposal_id),
        feeds=tuple(deployment.feeds.values()),
    )
    assert trace.succeeded
    sandbox.mine(2)
    return trace.steps[-1].block


async def test_a_draft_asked_for_on_discord_is_evaluated(
    whole_chain: Sandbox, deployment: Deployment, tmp_path: Path
) -> None:
    """From the suggestion of a parameter to the answer that waits to be delivered."""
    governor = deployment.openzeppelin.governor.lower()
    urls = list(whole_chain.rpc.urls)
    settings = Settings.model_validate(
        {
            "chains": [
                {"name": "anvil", "chain_id": whole_chain.chain_id, "urls": urls}
            ],
            "governors": [{"chain": "anvil", "address": governor, "name": "DAO",
                           "markets": [deployment.aave.pool]}],
            "evaluation": {"paths": 100, "at_once": 1, "policy": _few_attacks(tmp_path)},
            "discord": DiscordSettings(token=SecretStr("t" * 30)),
        }
    )  # fmt: skip
    database = open_database(tmp_path / "bot.db")
    hold = Hold(
        settings=settings,
        database=database,
        queue=JobQueue(database, settings.evaluation),
        store=EvaluationStore(database),
        outbox=Outbox(database),
        surveys=SurveyStore(database),
    )
    evaluator = _evaluator(whole_chain, tmp_path / "work")
    surveyor = Surveyor(settings, hold.surveys, evaluator)
    voice = DiscordVoice(settings, database, SubscriptionStore(database))
    chorus = Chorus(hold.store, [voice])
    workshop = Workshop(
        database,
        queue=hold.queue,
        store=hold.store,
        outbox=hold.outbox,
        evaluator=evaluator,
        composer=chorus,
        settings=settings.evaluation,
    )
    scheduler = Scheduler(
        database, settings, queue=hold.queue, store=hold.store, outbox=hold.outbox,
        surveys=hold.surveys, herald=chorus,
    )  # fmt: skip
    deck = Deck(
        hold=hold, scheduler=scheduler, workshop=workshop, surveyor=surveyor, followers=(),
        on_posts=lambda: None,
    )  # fmt: skip
    assert settings.discord is not None
    desk = Desk(deck, settings.discord, SubscriptionStore(database))

    assert await surveyor.survey(settings.governors[0])
    (choice,) = desk.suggestions.parameters("weth liquidation_threshold")
    assert choice.name == "aave_v3.WETH.liquidation_threshold (now 82.5%)"
    order, about = desk.order(Wish(parameter=choice.value, value="81%", seed=7))
    assert about is None
    asker = Asker(user=1, guild=2, roles=frozenset(), manages=False)
    job = desk.ask(asker, order, None, Reply(key="k", channel=3, message=4))
    running = asyncio.create_task(workshop.run())
    while hold.store.of_job(job.id) is None:
        ended = hold.queue.get(job.id)
        assert ended is not None
        assert ended.state not in (JobState.FAILED, JobState.CANCELLED), ended.error
        await asyncio.sleep(0.05)
    workshop.stop()
    await asyncio.wait_for(running, 30)

    stored = hold.store.of_job(job.id)
    assert stored is not None
    report = json.loads(hold.store.text(stored.id, "report"))
    changed = {p["path"]: (p["before"], p["after"]) for p in report["parameters"]}
    assert changed == {"aave_v3.WETH.liquidation_threshold": (0.825, 0.81)}
    (post,) = rows(database, "SELECT target, payload FROM outbox")
    answer = json.loads(post["payload"])
    assert (post["target"], answer["form"]) == ("discord", "answer")
    assert (answer["channel"], answer["message"]) == (3, 4)
    assert "100 price paths over 7 days" in answer["content"]
    assert answer["embed"]["title"].startswith(stored.verdict)
    assert answer["charts"] == ["survival-dark", "loss_exceedance-dark"]
    database.close()
