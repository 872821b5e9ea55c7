"""docs/operate.md is true: its settings load, and every setting, command and figure is in it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from bot import health
from bot.main import app
from bot.settings import OperationSettings, Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
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


def _block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    unit = _block("ini")
    commands = re.findall(r"^ExecStart(?:Pre)?=(\S+) (\S+) --config (\S+)$", unit, re.MULTILINE)
    known = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    assert [command for _, command, _ in commands] == ["check", "run"]
    assert {command for _, command, _ in commands} <= known | {"run"}
    stop = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert stop is not None
    assert int(stop.group(1)) > OperationSettings().stop_grace
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "seatrial-bot.service"
    # The program is not installed where the unit has it; any other stands in, by a path
    # without the spaces that this checkout's may have.
    program = tmp_path / "seatrial-bot"
    program.symlink_to(sys.executable)
    path.write_text(re.sub(r"/opt/seatrial/bin/seatrial-bot", str(program), unit))
    found = subprocess.run(
        [analyze, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in found.stderr.splitlines() if "seatrial-bot" in line]
    assert complaints == []


def test_the_dockerfile_names_what_is_there() -> None:
    text = _block("dockerfile").replace("\\\n", "")
    steps = [line.split(maxsplit=1) for line in text.splitlines() if line[:1].isupper()]
    given = dict(steps)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert given["ENTRYPOINT"] == '["seatrial-bot"]'
    assert {"seatrial-bot", "seatrial"} <= set(project["scripts"])
    assert {"bot", "node"} <= set(project["optional-dependencies"])
    assert "'/opt/seatrial[bot,node]'" in text
    version = re.search(r"FROM python:(\d+)\.(\d+)", text)
    assert version is not None
    assert project["requires-python"] == ">=3.11"
    assert (int(version.group(1)), int(version.group(2))) >= (3, 11)
    assert json.loads(given["CMD"])[0] == "run"
    probe = re.search(r'python -c\s+"(.*?)"', text)
    assert probe is not None
    compile(probe.group(1), "health check", "exec")
    assert f":{OperationSettings().health_port}/healthz" in probe.group(1)
    # COPY . must not take along what a checkout builds for itself.
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".git", ".venv", "contracts/node_modules"} <= set(ignored)
    needed = {"evaluator", "bot", "templates", "contracts", "pyproject.toml"}
    assert all((ROOT / name).exists() for name in needed)
    assert not needed & set(ignored)


def test_the_action_is_yaml_that_github_takes() -> None:
    text = (ROOT / "docs" / "author.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    action = yaml.safe_load(found.group(1))
    # YAML 1.1 reads the key "on" as true; GitHub does not.
    assert set(action) == {"name", True, "jobs"}
    assert action[True] == ["pull_request"]
    (job,) = action["jobs"].values()
    assert job["runs-on"]
    said = [step["run"] for step in job["steps"] if "run" in step]
    assert "pip install seatrial pytest" in said
    assert "seatrial setup" in said
    (run,) = [line for line in said if line.startswith("pytest")]
    assert "--seatrial-report reports" in run
    uploads = [s for s in job["steps"] if s.get("uses", "").startswith("actions/upload-artifact")]
    assert uploads[0]["with"]["path"] == "reports"
    for step in job["steps"]:
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
