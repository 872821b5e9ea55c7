"""`seatrial-bot demo` from the proposal to the files it leaves, with an evaluator that is quick."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.demonstration import Demonstration

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.chain]


async def test_it_publishes_answers_and_says_where_to_look(
    embedded_dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert embedded_dump.exists()  # else the chain would be built here
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests' / 'bot' / 'toys'}")
    out = tmp_path / "what was posted"
    said: list[str] = []
    await Demonstration(out, said.append, entry_point="demonstration_toy:run").run()
    told = "\n".join(said)
    for what in (
        r"topic   Seatrial: Demo DAO",
        r"thread  Demo DAO",
        r"published \d+ s after the proposal",
        r"verdict CAUTION: evaluation",
        r"verdict CAUTION: draft",
    ):
        assert re.search(what, told), told
    assert said[-1].endswith("the bot has stopped")
    for name in ("forum-topic.md", "discord.md"):
        assert str(out / name) in told
        text = (out / name).read_text(encoding="utf-8")
        shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
        assert shown
        assert all((out / picture).read_bytes().startswith(b"\x89PNG") for picture in shown)
