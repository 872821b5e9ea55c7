"""README and docs are true: links lead somewhere, commands and options exist, TOML parses."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from bot.main import app as bot_app
from evaluator.cli.main import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
TEXTS = {p.relative_to(ROOT).as_posix(): p.read_text(encoding="utf-8") for p in PAGES}
COMMANDS = get_command(app).commands
BOT_COMMANDS = get_command(bot_app).commands
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))

_BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_WORDS = re.compile(r"`((?:seatrial|seatrial-bot|make) [^`\n]+)`")


def _blocks(language: str) -> Iterator[tuple[str, str]]:
    for page, text in TEXTS.items():
        for kind, body in _BLOCK.findall(text):
            if kind == language:
                yield page, body


def _options(command) -> set[str]:
    return {
        "--help",
        *(o for p in command.params for o in (*p.opts, *p.secondary_opts) if o[0] == "-"),
    }


def fault_of(line: str) -> str | None:
    """Say what is wrong with one line of a shell, None if nothing is."""
    if not re.match(r"\s*(make|seatrial|seatrial-bot) ", line):
        return None
    words = shlex.split(line, comments=True)
    if words[0] not in ("make", "seatrial", "seatrial-bot"):
        return None
    program, *rest = words
    if program == "make":
        unknown = [w for w in rest if "=" not in w and w not in TARGETS]
        return f"no target {unknown}" if unknown else None
    known = COMMANDS if program == "seatrial" else BOT_COMMANDS
    if rest and rest[0] in ("--help", "--version", "--install-completion", "--show-completion"):
        return None
    if not rest or rest[0] not in known:
        return f"{program} has no command {rest[:1]}"
    name, *given = rest
    wrong = [w for w in given if w.startswith("-") and w.split("=")[0] not in _options(known[name])]
    return f"{program} {name} has no option {wrong}" if wrong else None


@pytest.mark.parametrize(
    "line", ["make tea", "seatrial sail", "seatrial demo --wind 3", "seatrial-bot anchor"]
)
def test_faults_are_seen(line: str) -> None:
    assert fault_of(line)


def test_every_shell_line_names_what_exists() -> None:
    lines = [(page, line) for page, body in _blocks("sh") for line in body.splitlines()]
    assert len(lines) > 15
    assert [(p, x, f) for p, x in lines if (f := fault_of(x))] == []


def test_every_shell_line_parses() -> None:
    # With all its arguments, and values of the right kind; nothing is run.
    for _, body in _blocks("sh"):
        for line in body.splitlines():
            if line.startswith("seatrial ") and fault_of(line) is None:
                words = shlex.split(line, comments=True)
                if words[1].startswith("--"):
                    continue
                COMMANDS[words[1]].make_context(words[1], words[2:])


def test_commands_in_running_text_exist() -> None:
    faults = []
    for page, text in TEXTS.items():
        for words in _WORDS.findall(_BLOCK.sub("", text)):
            first = words.split()[1]
            if not first[0].isupper() and "…" not in words and (fault := fault_of(words)):
                faults.append((page, words, fault))
    assert faults == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_documented(name: str) -> None:
    page = TEXTS["docs/commands.md"]
    found = re.search(rf"^## seatrial {name}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    remedy = "run python docs/write_commands.py"
    assert found, f"seatrial {name} is not in docs/commands.md: {remedy}"
    cells = re.findall(r"^\| ((?:`-[^|]*)) \|", found.group(1), re.MULTILINE)
    documented = {o for cell in cells for o in re.findall(r"`(-[\w-]+)`", cell)}
    assert documented == _options(COMMANDS[name]) - {"--help"}, f"docs/commands.md: {remedy}"


def test_no_command_is_documented_that_is_gone() -> None:
    named = re.findall(r"^## seatrial (\S+)$", TEXTS["docs/commands.md"], re.MULTILINE)
    assert set(named) == set(COMMANDS)


def test_exit_codes_are_documented() -> None:
    from evaluator import errors

    page = TEXTS["docs/commands.md"]
    codes = {e.exit_code for e in vars(errors).values() if hasattr(e, "exit_code")}
    between = set(range(10, 17))
    for code in codes - between:
        assert f"| {code} |" in page
    assert {f"{c} " in page for c in codes & between} == {True}


def test_internal_links_resolve() -> None:
    broken = []
    for page, text in TEXTS.items():
        for link in _LINK.findall(_BLOCK.sub("", text)):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (ROOT / page).parent / path if path else ROOT / page
            if not target.exists():
                broken.append((page, link))
            elif anchor and target.suffix == ".md":
                headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
                slugs = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
                if anchor not in slugs:
                    broken.append((page, link))
    assert broken == []


def test_every_decision_is_listed() -> None:
    for record in (ROOT / "docs" / "decisions").glob("*.md"):
        assert f"(decisions/{record.name})" in TEXTS["docs/decisions.md"], (
            f"{record.name} is not in docs/decisions.md"
        )


def test_toml_blocks_parse() -> None:
    blocks = list(_blocks("toml"))
    assert blocks
    for page, body in blocks:
        try:
            tomllib.loads(body)
        except tomllib.TOMLDecodeError as e:
            pytest.fail(f"{page}: {e}")


def test_python_blocks_compile() -> None:
    blocks = list(_blocks("python"))
    assert blocks
    for page, body in blocks:
        compile(body, page, "exec")


def test_pages_of_the_site_exist() -> None:
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = re.findall(r"([\w/]+\.md)$", site, re.MULTILINE)
    assert len(pages) > 8
    for page in pages:
        assert (ROOT / "docs" / page).is_file(), page


def test_pictures_are_small() -> None:
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.stat().st_size <= 300 * 1024, picture.name
