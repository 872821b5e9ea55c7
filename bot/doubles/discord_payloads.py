"""Objects as Discord's API v10 shows them, with every key that discord.py requires."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

APPLICATION_ID = "900000000000000001"
BOT_ID = APPLICATION_ID
GUILD_ID = "800000000000000001"
CHANNEL_ID = "700000000000000001"
USER_ID = "600000000000000001"
ROLE_ID = "500000000000000001"
ALL_PERMISSIONS = str((1 << 50) - 1)
# Without "administrator", which would see past what a channel forbids.
EVERYONE_PERMISSIONS = str((1 << 50) - 1 & ~(1 << 3))
ATTACHMENT_SIZE = 10 * 1024 * 1024
JOINED = "2024-01-01T00:00:00+00:00"


def user(user_id: str) -> Json:
    """Return a user object."""
    name = "seatrial" if user_id == BOT_ID else f"user{user_id[-4:]}"
    return {
        "id": user_id,
        "username": name,
        "discriminator": "0",
        "global_name": None,
        "avatar": None,
        "bot": user_id == BOT_ID,
        "flags": 0,
    }


def member(user_id: str, roles: tuple[str, ...] = ()) -> Json:
    """Return a guild member with all permissions."""
    return {
        "user": user(user_id),
        "roles": list(roles),
        "joined_at": JOINED,
        "deaf": False,
        "mute": False,
        "flags": 0,
        "permissions": ALL_PERMISSIONS,
    }


def application() -> Json:
    """Return the bot's application."""
    return {
        "id": APPLICATION_ID,
        "name": "Seatrial",
        "icon": None,
        "description": "",
        "bot_public": False,
        "bot_require_code_grant": False,
        "verify_key": "00",
        "owner": user(USER_ID),
        "flags": 0,
        "team": None,
        "rpc_origins": [],
        "summary": "",
    }


def channel(channel_id: str, name: str) -> Json:
    """Return a text channel of the guild."""
    return {
        "id": channel_id,
        "type": 0,
        "name": name,
        "guild_id": GUILD_ID,
        "position": 0,
        "permission_overwrites": [],
        "nsfw": False,
        "parent_id": None,
    }


def thread(thread_id: str, parent_id: str, name: str) -> Json:
    """Return a public thread."""
    metadata = {
        "archived": False,
        "auto_archive_duration": 1440,
        "locked": False,
        "archive_timestamp": JOINED,
    }
    return {
        "id": thread_id,
        "type": 11,
        "name": name,
        "guild_id": GUILD_ID,
        "parent_id": parent_id,
        "owner_id": BOT_ID,
        "message_count": 0,
        "member_count": 1,
        "rate_limit_per_user": 0,
        "flags": 0,
        "total_message_sent": 0,
        "thread_metadata": metadata,
    }


def guild(channels: list[Json]) -> Json:
    """Return the guild with its channels, as GUILD_CREATE has it."""
    role = {
        "id": GUILD_ID,
        "name": "@everyone",
        "color": 0,
        "hoist": False,
        "position": 0,
        "permissions": EVERYONE_PERMISSIONS,
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }
    delegates = {**role, "id": ROLE_ID, "name": "delegates", "position": 1}
    return {
        "id": GUILD_ID,
        "name": "A DAO",
        "icon": None,
        "owner_id": USER_ID,
        "region": "",
        "afk_timeout": 300,
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "roles": [role, delegates],
        "emojis": [],
        "features": [],
        "mfa_level": 0,
        "premium_tier": 0,
        "preferred_locale": "en-US",
        "nsfw_level": 0,
        "system_channel_flags": 0,
        "member_count": 2,
        "large": False,
        "unavailable": False,
        "channels": channels,
        "threads": [],
        "members": [member(BOT_ID)],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "stickers": [],
        "premium_progress_bar_enabled": False,
        "afk_channel_id": None,
        "system_channel_id": None,
        "rules_channel_id": None,
        "vanity_url_code": None,
        "description": None,
        "banner": None,
        "splash": None,
        "discovery_splash": None,
        "public_updates_channel_id": None,
        "application_id": None,
    }


def message(message_id: str, channel_id: str, payload: Json) -> Json:
    """Return a message of the bot."""
    made = {
        "id": message_id,
        "channel_id": channel_id,
        "author": user(BOT_ID),
        "content": payload.get("content") or "",
        "embeds": rich(payload),
        "components": payload.get("components") or [],
        "attachments": [],
        "mentions": [],
        "mention_roles": [],
        "mention_everyone": False,
        "pinned": False,
        "tts": False,
        "type": 0,
        "flags": payload.get("flags") or 0,
        "edited_timestamp": None,
        "timestamp": JOINED,
    }
    if payload.get("nonce"):
        made["nonce"] = str(payload["nonce"])
    return made


def rich(payload: Json) -> list[Json]:
    """Return a payload's embeds as messages show them."""
    return [{"type": "rich", **e} for e in payload.get("embeds") or []]


def interaction(
    interaction_id: str, token: str, kind: int, data: Json, by: Json, where: Json
) -> Json:
    """Return an INTERACTION_CREATE event: `by` is a member, `where` a channel."""
    return {
        "id": interaction_id,
        "application_id": APPLICATION_ID,
        "type": kind,
        "data": data,
        "guild_id": GUILD_ID,
        "channel_id": where["id"],
        "channel": {**where, "permissions": ALL_PERMISSIONS},
        "member": by,
        "token": token,
        "version": 1,
        "locale": "en-US",
        "guild_locale": "en-US",
        "entitlements": [],
        "app_permissions": ALL_PERMISSIONS,
        "authorizing_integration_owners": {"0": GUILD_ID},
        "context": 0,
        "attachment_size_limit": ATTACHMENT_SIZE,
    }
