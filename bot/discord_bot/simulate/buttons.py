"""The buttons below an evaluation's message. Their ids say all, so that they survive restarts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Self, cast

import discord

from bot.discord_bot.answering import asker_of, explain
from bot.discord_bot.desk import Refusal
from bot.discord_bot.permission import refusal_to_cancel
from bot.discord_bot.proposals.show import send_assumptions, send_baseline, send_report
from bot.jobs import OPEN

if TYPE_CHECKING:
    from bot.discord_bot.client import SeatrialClient

Interaction = discord.Interaction[Any]


def _client(interaction: Interaction) -> SeatrialClient:
    return cast("SeatrialClient", interaction.client)


class _Numbered(discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"seatrial:none:(\d+)"):
    """A button about one row of the database."""

    label = ""
    word = ""  # in its custom id
    style = discord.ButtonStyle.secondary

    def __init__(self, number: int) -> None:
        super().__init__(
            discord.ui.Button(
                label=self.label, style=self.style, custom_id=f"seatrial:{self.word}:{number}"
            )
        )
        self.number = number

    @classmethod
    async def from_custom_id(
        cls,
        interaction: Interaction,  # noqa: ARG003 - the id says all
        item: discord.ui.Item[Any],  # noqa: ARG003
        match: re.Match[str],
    ) -> Self:
        """Make the button that was pressed, from its id alone."""
        return cls(int(match["number"]))

    async def callback(self, interaction: Interaction) -> None:
        """Answer; errors are explained like a command's."""
        try:
            await self.answer(interaction)
        except Exception as error:
            await explain(interaction, error)

    async def answer(self, interaction: Interaction) -> None:
        """Do what the button is for."""
        raise NotImplementedError


class CancelButton(_Numbered, template=r"seatrial:cancel:(?P<number>\d{1,15})"):
    """Ends a job."""

    label, word, style = "Cancel", "cancel", discord.ButtonStyle.danger

    async def answer(self, interaction: Interaction) -> None:
        """Cancel the job if the user may."""
        client = _client(interaction)
        asker = asker_of(interaction)
        job = client.desk.deck.hold.queue.get(self.number)
        if job is None or job.state not in OPEN:
            raise Refusal("This evaluation has ended already.")
        reason = refusal_to_cancel(asker, job.owner, client.desk.settings)
        if reason:
            raise Refusal(reason)
        client.desk.cancel(job, asker)
        client.replies.nudge()
        await interaction.response.send_message("It is being stopped.", ephemeral=True)


class ReportButton(_Numbered, template=r"seatrial:report:(?P<number>\d{1,15})"):
    """Sends the full report."""

    label, word, style = "Full report", "report", discord.ButtonStyle.primary

    async def answer(self, interaction: Interaction) -> None:
        """Send the files to the user alone."""
        await send_report(_client(interaction).desk, interaction, self.number)


class AssumptionsButton(_Numbered, template=r"seatrial:assumptions:(?P<number>\d{1,15})"):
    """Shows what the figures assume."""

    label, word = "Assumptions", "assumptions"

    async def answer(self, interaction: Interaction) -> None:
        """Show them to the user alone."""
        await send_assumptions(_client(interaction).desk, interaction, self.number)


class BaselineButton(_Numbered, template=r"seatrial:baseline:(?P<number>\d{1,15})"):
    """Compares with the state before the proposal."""

    label, word = "Compare with today", "baseline"

    async def answer(self, interaction: Interaction) -> None:
        """Show the figures side by side to the user alone."""
        await send_baseline(_client(interaction).desk, interaction, self.number)


class RerunButton(_Numbered, template=r"seatrial:rerun:(?P<number>\d{1,15})"):
    """Asks for the scenario of another run."""

    label, word = "Re-run with a scenario", "rerun"

    async def answer(self, interaction: Interaction) -> None:
        """Show the menu of scenarios to the user alone."""
        client = _client(interaction)
        client.may_simulate(asker_of(interaction))
        names = [choice.value for choice in client.desk.suggestions.scenarios()]
        view = discord.ui.View(timeout=None)
        view.add_item(ScenarioMenu(self.number, names))
        await interaction.response.send_message(
            "Run it again on the course of which event?", view=view, ephemeral=True
        )


class ScenarioMenu(
    discord.ui.DynamicItem[discord.ui.Select[Any]],
    template=r"seatrial:scenario:(?P<number>\d{1,15})",
):
    """Runs an evaluation again with the scenario chosen."""

    def __init__(self, number: int, names: list[str]) -> None:
        super().__init__(
            discord.ui.Select(
                placeholder="Scenario",
                custom_id=f"seatrial:scenario:{number}",
                options=[
                    discord.SelectOption(label=name.replace("_", " "), value=name)
                    for name in names[:25]
                ],
            )
        )
        self.number = number

    @classmethod
    async def from_custom_id(
        cls,
        interaction: Interaction,
        item: discord.ui.Item[Any],  # noqa: ARG003 - the id says all
        match: re.Match[str],
    ) -> Self:
        """Make the menu that was used, from its id alone."""
        client = _client(interaction)
        return cls(
            int(match["number"]), [choice.value for choice in client.desk.suggestions.scenarios()]
        )

    async def callback(self, interaction: Interaction) -> None:
        """Answer; errors are explained like a command's."""
        try:
            await self.answer(interaction)
        except Exception as error:
            await explain(interaction, error)

    async def answer(self, interaction: Interaction) -> None:
        """Queue the evaluation; its message is a new one."""
        client = _client(interaction)
        asker = asker_of(interaction)
        client.may_simulate(asker)
        client.desk.must_not_wait(asker)
        evaluation = client.desk.evaluation(str(self.number))
        order, _ = client.desk.repeated(evaluation, self.item.values[0])
        await client.begin(interaction, asker, order, evaluation.proposal_id)


ITEMS = (
    CancelButton,
    ReportButton,
    AssumptionsButton,
    BaselineButton,
    RerunButton,
    ScenarioMenu,
)


def progress_view(job: int) -> discord.ui.View:
    """Return the buttons of a running evaluation."""
    view = discord.ui.View(timeout=None)
    view.add_item(CancelButton(job))
    return view


def result_view(evaluation: int) -> discord.ui.View:
    """Return the buttons of a finished evaluation."""
    view = discord.ui.View(timeout=None)
    for item in (ReportButton, AssumptionsButton, RerunButton, BaselineButton):
        view.add_item(item(evaluation))
    return view
