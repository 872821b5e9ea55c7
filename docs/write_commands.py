"""Write docs/commands.md anew from the command line itself: python docs/write_commands.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from evaluator.cli.main import app

PAGE = Path(__file__).with_name("commands.md")
# Everything below the first command's heading is written anew; the text above it is kept.
_FIRST = re.compile(r"^## seatrial ", re.MULTILINE)
_UNSAID = {"--paths": "Price paths of the battery.", "--seed": "Seed of every random stream."}


def _cell(text: str | None) -> str:
    return re.sub(r"\s+", " ", (text or "").strip()).replace("|", "\\|")


def _rows(command: Any) -> Iterator[str]:
    for p in command.params:
        if p.param_type_name == "argument":
            yield f"| `{p.name.upper()}` | {_cell(p.help)} |"
        elif "--help" not in p.opts:
            names = ", ".join(f"`{n}`" for n in (*p.opts, *p.secondary_opts))
            said = _cell(p.help) or _UNSAID[p.opts[0]]
            plain = p.default is None or p.default is False or p.default == []
            yield f"| {names} | {said}{'' if plain else f' Default: `{p.default}`.'} |"


def sections() -> Iterator[str]:
    """Return one section of Markdown for each command."""
    # An app of several commands becomes a group; typer's type says command.
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        doc = (command.callback.__doc__ or "").strip()
        words = "\n\n".join(re.sub(r"\s+", " ", p).strip() for p in doc.split("\n\n"))
        rows = list(_rows(command))
        table = ["", "| argument or option | what it is |", "|---|---|", *rows] if rows else []
        yield "\n".join([f"## seatrial {name}", "", words, *table, ""])


def main() -> None:
    """Keep the page's introduction and write its sections anew."""
    text = PAGE.read_text(encoding="utf-8")
    first = _FIRST.search(text)
    intro = text if first is None else text[: first.start()]
    PAGE.write_text(intro.rstrip() + "\n\n" + "\n".join(sections()), encoding="utf-8")


if __name__ == "__main__":
    main()
