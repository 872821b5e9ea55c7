"""docs/operate.md is true: its settings load, and every setting, command and figure is in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot import health
from bot.main import app
from bot.settings import Settings

TEXT = (Path(__file__).parents[2] / "docs" / "operate.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)


def test_the_example_loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert EXAMPLE is not None
    for name in ("ETHEREUM_RPC", "ETHEREUM_WS", "DISCORD_TOKEN"):
        scheme = "wss" if name.endswith("WS") else "https"
        monkeypatch.setenv(name, f"{scheme}://rpc.example.org/")
    (tmp_path / "key").write_text("0123456789abcdef")
    settings = Settings.model_validate(
        tomllib.loads(EXAMPLE.group(1).replace("/run/secrets/discourse", str(tmp_path / "key")))
    )
    assert settings.governors[0].forum_topics == {"287": 4711}


def _fields(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _fields(part)


def test_every_setting_is_in_the_example() -> None:
    assert EXAMPLE is not None
    for name in _fields(Settings):
        assert re.search(rf"(^|\[|\.){name}\b", EXAMPLE.group(1), re.MULTILINE), name


def test_every_command_is_in_the_table() -> None:
    for command in app.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        assert f"`seatrial-bot {name}`" in TEXT


def test_every_figure_is_in_the_table() -> None:
    names = set(re.findall(r'"(seatrial_\w+)"', Path(health.__file__).read_text(encoding="utf-8")))
    assert len(names) >= 8
    for name in names:
        assert f"`{name}" in TEXT, name
