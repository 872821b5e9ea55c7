"""What people would have seen, as files: for after a demonstration, when its servers are gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.doubles.discord_service import DiscordService
from bot.doubles.discourse_forum import Forum


def save_forum(forum: Forum, folder: Path) -> Path:
    """Write all topics as one Markdown file with its charts beside it; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n\n".join(
        "\n\n---\n\n".join([f"# {topic.title}", *(post.raw for post in topic.posts)])
        for topic in forum.topics
    )
    for number, (address, data) in enumerate(forum.uploads.items(), start=1):
        name = f"forum-chart-{number}.png"
        (folder / name).write_bytes(data)
        text = text.replace(address, name)
    path = folder / "forum-topic.md"
    path.write_text(text + "\n", encoding="utf-8")
    return path


def save_discord(discord: DiscordService, folder: Path) -> Path:
    """Write all messages as one Markdown file with what is attached beside it; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[str] = []
    for number, message in enumerate(discord.messages.values(), start=1):
        channel = discord.channels[message["channel_id"]]
        place = "thread " if channel["type"] == 11 else "#"
        parts.append(f"## {place}{channel['name']}\n\n{message['content']}")
        for embed in message["embeds"]:
            parts += _embed_lines(embed)
        for attached in message["attachments"]:
            data = discord.files.get(f"{attached['id']}-{attached['filename']}", b"")
            name = f"discord-{number}-{Path(attached['filename']).name}"
            (folder / name).write_bytes(data)
            parts.append(f"![{attached['filename']}]({name})")
        labels = list(discord.buttons(message["id"]))
        if labels:
            parts.append("Buttons: " + ", ".join(f"[{label}]" for label in labels))
    path = folder / "discord.md"
    path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    return path


def _embed_lines(embed: dict[str, Any]) -> list[str]:
    if "title" not in embed:
        return []  # nothing but one more picture
    fields = [f"- {field['name']}: {field['value']}" for field in embed.get("fields") or []]
    return [
        f"**{embed['title']}**",
        embed.get("description") or "",
        "\n".join(fields),
        (embed.get("footer") or {}).get("text", ""),
    ]
