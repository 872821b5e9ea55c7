"""Who may do what on Discord."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import SecretStr

from bot.discord_bot.permission import (
    Asker,
    refusal_for_pace,
    refusal_to_cancel,
    refusal_to_simulate,
    refusal_to_subscribe,
)
from bot.discord_bot.subscriptions.store import Severity, Subscription
from bot.discord_bot.words import bar, duration, plain, spoken
from bot.settings import DiscordGuildSettings, DiscordSettings

SETTINGS = DiscordSettings(
    token=SecretStr("t" * 30),
    operator_roles=(9,),
    cooldown=10.0,
    hourly=3,
    guilds=(
        DiscordGuildSettings(id=2, simulate_roles=(5,), subscribe_roles=(6,)),
        DiscordGuildSettings(id=3, simulate=False),
    ),
)
SOMEBODY = Asker(user=1, guild=1, roles=frozenset(), manages=False)


@pytest.mark.parametrize(
    ("guild", "roles", "allowed"),
    [(None, (), False), (1, (), True), (2, (), False), (2, (5,), True), (2, (9,), True),
     (3, (5,), False), (3, (9,), True)],
)  # fmt: skip
def test_simulating_follows_the_rules_of_the_server(guild, roles, allowed) -> None:
    asker = replace(SOMEBODY, guild=guild, roles=frozenset(roles))
    assert (refusal_to_simulate(asker, SETTINGS) == "") is allowed


@pytest.mark.parametrize(
    ("guild", "roles", "manages", "allowed"),
    [(None, (), True, False), (1, (), False, False), (1, (), True, True), (2, (6,), False, True),
     (1, (6,), False, False), (1, (9,), False, True)],
)  # fmt: skip
def test_subscribing_is_for_managers(guild, roles, manages, allowed) -> None:
    asker = replace(SOMEBODY, guild=guild, roles=frozenset(roles), manages=manages)
    assert (refusal_to_subscribe(asker, SETTINGS) == "") is allowed


def test_a_job_is_cancelled_by_its_owner_or_an_operator() -> None:
    assert refusal_to_cancel(SOMEBODY, "user:1", SETTINGS) == ""
    assert refusal_to_cancel(SOMEBODY, "user:2", SETTINGS) != ""
    assert refusal_to_cancel(replace(SOMEBODY, roles=frozenset({9})), "user:2", SETTINGS) == ""


def test_pace() -> None:
    assert refusal_for_pace(since_last=None, last_hour=0, settings=SETTINGS) == ""
    assert "Wait 4 s" in refusal_for_pace(since_last=6.0, last_hour=1, settings=SETTINGS)
    assert "3 evaluations" in refusal_for_pace(since_last=60.0, last_hour=3, settings=SETTINGS)


@pytest.mark.parametrize(
    ("severity", "heard"),
    [
        (Severity.PASS, {"PASS", "CAUTION", "INCONCLUSIVE", "FAIL"}),
        (Severity.CAUTION, {"CAUTION", "INCONCLUSIVE", "FAIL"}),
        (Severity.FAIL, {"FAIL"}),
    ],
)
def test_a_channel_hears_what_is_severe_enough(severity, heard) -> None:
    subscription = Subscription(
        id=1, guild=1, channel=1, chain="c", governor="g", severity=severity, role=None,
        created_by="user:1",
    )  # fmt: skip
    verdicts = ("PASS", "CAUTION", "INCONCLUSIVE", "FAIL")
    assert {verdict for verdict in verdicts if subscription.hears(verdict)} == heard


def test_words_of_others_are_harmless_and_short() -> None:
    hostile = "@everyone\n# [x](https://e.example) <@&1> `c` \u202e**b**"
    said = spoken(hostile, 200)
    assert "@everyone" not in said
    assert "\n" not in said
    assert "\u202e" not in said
    assert "://" not in said
    assert "\\<@" in said
    assert "\\[x\\]" in said
    for length in (1, 5, 20, 60):
        assert len(spoken(hostile * 50, length)) <= length
        assert len(plain(hostile * 50, length)) <= length


def test_figures_for_people() -> None:
    assert duration(604_800) == "7 days"
    assert duration(60) == "1 minute"
    assert duration(12.4) == "12 seconds"
    assert bar(0.0).count("█") == 0
    assert bar(2.0).count("█") == len(bar(0.5)) == 20
