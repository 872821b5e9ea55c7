"""Who may do what, decided here and not by Discord's client, which can only hide commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import discord

from bot.jobs import USER
from bot.settings import DiscordGuildSettings, DiscordSettings

# What the bot needs in a channel it posts to.
NEEDED = ("view_channel", "send_messages", "embed_links", "attach_files", "read_message_history",
          "create_public_threads", "send_messages_in_threads")  # fmt: skip


def missing_permissions(permissions: discord.Permissions) -> list[str]:
    """Return what the bot needs in a channel and does not have, in words."""
    return [name.replace("_", " ") for name in NEEDED if not getattr(permissions, name)]


def permissions_in(
    channel: Mapping[str, Any], guild: Mapping[str, Any], member: Mapping[str, Any]
) -> discord.Permissions:
    """Return a member's permissions in a channel, from the objects of Discord's API.

    In the order that Discord documents: the roles together, then the channel's
    overwrites for everyone, for the roles together, and for the member.
    """
    roles = {str(role["id"]): int(role["permissions"]) for role in guild["roles"]}
    own = {str(guild["id"]), *map(str, member["roles"])}
    value = 0
    for role, allowed in roles.items():
        value |= allowed if role in own else 0
    if discord.Permissions(value).administrator or str(guild["owner_id"]) == member["user"]["id"]:
        return discord.Permissions.all()
    everyone = str(guild["id"])
    for group in ({everyone}, own - {everyone}, {str(member["user"]["id"])}):
        allow = deny = 0
        for overwrite in channel.get("permission_overwrites") or ():
            if str(overwrite["id"]) in group:
                allow |= int(overwrite["allow"])
                deny |= int(overwrite["deny"])
        value = value & ~deny | allow
    return discord.Permissions(value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asker:
    """Who asks for something, and where."""

    user: int  # id
    guild: int | None  # id of the server, None in a direct message
    roles: frozenset[int]  # ids
    manages: bool  # has the Manage Server permission

    @property
    def owner(self) -> str:
        """Return the owner of this user's jobs."""
        return f"{USER}{self.user}"


def _guild(asker: Asker, settings: DiscordSettings) -> DiscordGuildSettings | None:
    return next((guild for guild in settings.guilds if guild.id == asker.guild), None)


def is_operator(asker: Asker, settings: DiscordSettings) -> bool:
    """Tell whether the asker has one of the operators' roles."""
    return bool(asker.roles & set(settings.operator_roles))


def refusal_to_simulate(asker: Asker, settings: DiscordSettings) -> str:
    """Return why the asker may not ask for evaluations, "" if they may."""
    if asker.guild is None:
        return "Ask in a server: evaluations are not made in direct messages."
    guild = _guild(asker, settings)
    if is_operator(asker, settings) or guild is None:
        return ""
    if not guild.simulate:
        return "Evaluations are switched off in this server."
    if guild.simulate_roles and not asker.roles & set(guild.simulate_roles):
        return "Your roles do not allow you to ask for evaluations here."
    return ""


def refusal_to_subscribe(asker: Asker, settings: DiscordSettings) -> str:
    """Return why the asker may not change subscriptions, "" if they may."""
    if asker.guild is None:
        return "Subscriptions belong to a server's channels: ask there."
    guild = _guild(asker, settings)
    allowed = set(guild.subscribe_roles) if guild is not None else set()
    if asker.manages or is_operator(asker, settings) or asker.roles & allowed:
        return ""
    return "You need the Manage Server permission to change what is posted here."


def refusal_to_cancel(asker: Asker, owner: str, settings: DiscordSettings) -> str:
    """Return why the asker may not cancel a job of `owner`, "" if they may."""
    if asker.owner == owner or is_operator(asker, settings):
        return ""
    return "Only whoever asked for this evaluation can cancel it."


def refusal_for_pace(*, since_last: float | None, last_hour: int, settings: DiscordSettings) -> str:
    """Return why the asker must wait, "" if they need not.

    `since_last` are the seconds since their last evaluation was asked for,
    `last_hour` counts those of the last hour.
    """
    if since_last is not None and since_last < settings.cooldown:
        return f"Wait {max(1, round(settings.cooldown - since_last))} s before the next one."
    if last_hour >= settings.hourly:
        return f"You asked for {last_hour} evaluations within an hour, the limit: wait a while."
    return ""
