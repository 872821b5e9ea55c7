"""The rules of Discord's API that a message or a command must keep.

Source: Discord API v10 documentation (messages, embeds, application commands).
Each function returns Discord's error body, or None when the payload is fine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

CONTENT_LIMIT = 2000
EMBED_LIMITS = {"title": 256, "description": 4096}
EMBED_TOTAL = 6000
FIELDS = 25
FIELD_NAME = 256
FIELD_VALUE = 1024
FOOTER = 2048
EMBEDS = 10
ROWS = 5
BUTTONS_PER_ROW = 5
CHOICES = 25
ATTACHMENT_SIZE = 10 * 1024 * 1024
COMMAND_NAME = re.compile(r"^[-_'\w]{1,32}$")

Json = dict[str, Any]


def invalid_form(path: str, code: str, message: str) -> Json:
    """Return the body of a 400 that names one field, as Discord words it."""
    errors: Json = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(path.split(".")):
        errors = {part: errors}
    return {"code": 50035, "message": "Invalid Form Body", "errors": errors}


def _too_long(path: str, limit: int) -> Json:
    return invalid_form(path, "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length.")


def embed_size(embed: Mapping[str, Any]) -> int:
    """Return the characters of an embed that count towards the limit of 6000."""
    size = len(embed.get("title") or "") + len(embed.get("description") or "")
    size += len((embed.get("footer") or {}).get("text") or "")
    size += len((embed.get("author") or {}).get("name") or "")
    return size + sum(len(f["name"]) + len(f["value"]) for f in embed.get("fields") or [])


def check_embed(embed: Mapping[str, Any], path: str) -> Json | None:
    """Check one embed against every limit of its parts."""
    for part, limit in EMBED_LIMITS.items():
        if len(embed.get(part) or "") > limit:
            return _too_long(f"{path}.{part}", limit)
    fields = embed.get("fields") or []
    if len(fields) > FIELDS:
        return _too_long(f"{path}.fields", FIELDS)
    for i, field in enumerate(fields):
        for part, limit in (("name", FIELD_NAME), ("value", FIELD_VALUE)):
            text = field.get(part) or ""
            if not text:
                return invalid_form(
                    f"{path}.fields.{i}.{part}", "BASE_TYPE_REQUIRED", "This field is required"
                )
            if len(text) > limit:
                return _too_long(f"{path}.fields.{i}.{part}", limit)
    if len((embed.get("footer") or {}).get("text") or "") > FOOTER:
        return _too_long(f"{path}.footer.text", FOOTER)
    return None


def check_components(rows: list[Json]) -> Json | None:
    """Check rows of buttons: their number, their custom ids and labels."""
    if len(rows) > ROWS:
        return _too_long("components", ROWS)
    seen: set[str] = set()
    for r, row in enumerate(rows):
        inner = row.get("components") or []
        if len(inner) > BUTTONS_PER_ROW:
            return _too_long(f"components.{r}.components", BUTTONS_PER_ROW)
        for c, part in enumerate(inner):
            where = f"components.{r}.components.{c}"
            custom = part.get("custom_id")
            if custom is not None:
                if not 1 <= len(custom) <= 100:
                    return _too_long(f"{where}.custom_id", 100)
                if custom in seen:
                    return invalid_form(
                        f"{where}.custom_id",
                        "COMPONENT_CUSTOM_ID_DUPLICATED",
                        "Component custom id cannot be duplicated",
                    )
                seen.add(custom)
            if len(part.get("label") or "") > 80:
                return _too_long(f"{where}.label", 80)
    return None


def check_message(
    payload: Mapping[str, Any], files: Mapping[str, bytes], *, creating: bool
) -> Json | None:
    """Check a message as POST or PATCH has it."""
    if len(payload.get("content") or "") > CONTENT_LIMIT:
        return _too_long("content", CONTENT_LIMIT)
    embeds = payload.get("embeds") or []
    if len(embeds) > EMBEDS:
        return _too_long("embeds", EMBEDS)
    for i, embed in enumerate(embeds):
        error = check_embed(embed, f"embeds.{i}")
        if error:
            return error
    if sum(embed_size(e) for e in embeds) > EMBED_TOTAL:
        return invalid_form(
            "embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000"
        )
    error = check_components(payload.get("components") or [])
    if error:
        return error
    if any(len(body) > ATTACHMENT_SIZE for body in files.values()):
        return {"code": 40005, "message": "Request entity too large"}
    if len(str(payload.get("nonce") or "")) > 25:
        return _too_long("nonce", 25)
    has_body = payload.get("content") or embeds or files or payload.get("components")
    if creating and not has_body:
        return {"code": 50006, "message": "Cannot send an empty message"}
    return None


def check_commands(commands: list[Json]) -> Json | None:
    """Check a bulk overwrite of application commands."""
    if len(commands) > 100:
        return _too_long("commands", 100)
    names = [c.get("name", "") for c in commands]
    if len(set(names)) != len(names):
        return invalid_form(
            "commands", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Names must be unique"
        )
    for i, command in enumerate(commands):
        name = command.get("name", "")
        if not COMMAND_NAME.match(name) or name != name.lower():
            return invalid_form(f"{i}.name", "APPLICATION_COMMAND_INVALID_NAME", "Invalid name")
        if command.get("type", 1) == 1 and not 1 <= len(command.get("description", "")) <= 100:
            return _too_long(f"{i}.description", 100)
        options = command.get("options") or []
        if len(options) > 25:
            return _too_long(f"{i}.options", 25)
        required_ended = False
        for o, option in enumerate(options):
            if not COMMAND_NAME.match(option.get("name", "")):
                return invalid_form(
                    f"{i}.options.{o}.name", "APPLICATION_COMMAND_INVALID_NAME", "Invalid name"
                )
            if not 1 <= len(option.get("description", "")) <= 100:
                return _too_long(f"{i}.options.{o}.description", 100)
            if option.get("required") and required_ended:
                return invalid_form(
                    f"{i}.options.{o}",
                    "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                    "Required options must be placed before non-required options",
                )
            required_ended = required_ended or not option.get("required")
            if len(option.get("choices") or []) > CHOICES:
                return _too_long(f"{i}.options.{o}.choices", CHOICES)
        if len(json.dumps(command)) > 8000:
            return _too_long(f"{i}", 8000)
    return None


def check_choices(choices: list[Json]) -> Json | None:
    """Check the answer to an autocomplete interaction."""
    if len(choices) > CHOICES:
        return _too_long("data.choices", CHOICES)
    for i, choice in enumerate(choices):
        if not 1 <= len(choice.get("name", "")) <= 100:
            return _too_long(f"data.choices.{i}.name", 100)
        if isinstance(choice.get("value"), str) and len(choice["value"]) > 100:
            return _too_long(f"data.choices.{i}.value", 100)
    return None


MENTION = re.compile(r"@everyone|@here|<@&?\d+>")


def pinged(payload: Mapping[str, Any]) -> list[str]:
    """Return the mentions of a message's content that would ring, by allowed_mentions."""
    found = MENTION.findall(payload.get("content") or "")
    allowed = payload.get("allowed_mentions")
    if allowed is None:
        return found
    parse = allowed.get("parse") or []
    rings = []
    for mention in found:
        if mention in ("@everyone", "@here"):
            ok = "everyone" in parse
        elif mention.startswith("<@&"):
            ok = "roles" in parse or mention[3:-1] in map(str, allowed.get("roles") or [])
        else:
            ok = "users" in parse or mention[2:-1] in map(str, allowed.get("users") or [])
        if ok:
            rings.append(mention)
    return rings
