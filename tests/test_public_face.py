"""The names that the bot and plugins may use."""

import ast
import subprocess
import sys
from pathlib import Path

import evaluator


def test_every_public_name_can_be_had():
    for name in evaluator.__all__:
        assert getattr(evaluator, name) is not None


def test_the_types_know_the_same_names_as_the_lazy_table():
    tree = ast.parse(Path(evaluator.__file__).read_text())
    typed = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("evaluator."):
            typed.update({alias.name: node.module for alias in node.names})
    assert typed == evaluator._HOME_OF
    assert sorted(typed) == sorted(evaluator.__all__)


def test_the_market_is_imported_without_the_chain():
    code = "import sys, evaluator.market; print('web3' in sys.modules or 'pydantic' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_the_bot_uses_nothing_else_of_the_evaluator():
    allowed = {"evaluator", "evaluator.errors"}
    used = set()
    for path in Path(evaluator.__file__).parent.parent.joinpath("bot").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                used.add((path.name, node.module))
            elif isinstance(node, ast.Import):
                used.update((path.name, alias.name) for alias in node.names)
    inner = {(p, m) for p, m in used if m.split(".")[0] == "evaluator" and m not in allowed}
    assert inner == set()
