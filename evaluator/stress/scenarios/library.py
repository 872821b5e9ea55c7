"""Reading scenarios: those that ship with the package and those users write."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib import resources
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import NoReturn

from evaluator.errors import ConfigurationError
from evaluator.market import AssetClass
from evaluator.stress.battery import Battery
from evaluator.stress.scenarios.scenario import OracleChange, Override, Scenario, Shock, Target

FORMAT = 1
MAX_FILE_BYTES = 64 * 1024
MAX_ENTRIES = 64  # shocks, oracle changes, sources, classes or patterns
MAX_POINTS = 500  # of one profile
MAX_TEXT = 2000  # characters
_LONGEST = 24.0 * 366.0  # hours
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

# What is run is the caller's choice, not the scenario's.
_NOT_FOR_SCENARIOS = frozenset(
    {"horizon", "step", "paths", "process", "scenario", "level", "order", "insolvency_threshold"}
)


def scenario_names() -> tuple[str, ...]:
    """Return the names of the scenarios that ship with the package, sorted."""
    files = resources.files(__package__).iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))


def find_scenario(name: str, *, folder: Path | None = None) -> Scenario:
    """Return a scenario by name, or by path when `name` ends in .toml.

    `folder` holds a user's own; its files come before the package's of the same
    name. Raises ConfigurationError when there is none, or it is malformed.
    """
    if name.endswith(".toml"):
        return load_scenario(Path(name))
    if _NAME.fullmatch(name):
        if folder is not None and (folder / f"{name}.toml").is_file():
            return load_scenario(folder / f"{name}.toml")
        if name in scenario_names():
            content = resources.files(__package__).joinpath(f"{name}.toml").read_bytes()
            return parse_scenario(content, origin=f"{name}.toml")
    raise ConfigurationError(
        f"there is no scenario '{name[:80]}'; choose one of {', '.join(scenario_names())}, "
        "or give the path of a .toml file"
    )


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file; ConfigurationError says what is wrong with it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"the scenario file {path.name} cannot be read: {error.strerror or error}"
        ) from error
    return parse_scenario(content, origin=path.name)


def parse_scenario(content: bytes, *, origin: str) -> Scenario:
    """Return the scenario in the bytes of a TOML file called `origin`."""
    if len(content) > MAX_FILE_BYTES:
        raise ConfigurationError(f"the scenario {origin} is larger than {MAX_FILE_BYTES} bytes")
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"the scenario {origin} is not TOML: {error}") from error
    reader = _Reader(origin)
    reader.known(
        table,
        "the file",
        ("format", "name", "title", "revision", "date", "summary", "sources", "gas_price_factor",
         "shocks", "oracles", "battery"),
    )  # fmt: skip
    if table.get("format") != FORMAT:
        reader.fail(f"format is {table.get('format')!r}; this version reads format {FORMAT}")
    name = reader.text(table, "name")
    if not _NAME.fullmatch(name):
        reader.fail(f"name is {name!r}; use lower case letters, digits and underscores")
    sources = reader.texts(table, "sources")
    if not sources:
        reader.fail("sources is empty; say where the numbers come from")
    revision = table.get("revision")
    if not isinstance(revision, int) or isinstance(revision, bool) or revision < 1:
        reader.fail(f"revision is {revision!r}; give a whole number from 1")
    battery = table.get("battery", {})
    return Scenario(
        name=name,
        title=reader.text(table, "title"),
        revision=revision,
        date=reader.text(table, "date", missing=""),
        summary=reader.text(table, "summary"),
        sources=sources,
        shocks=tuple(_shock(reader, t, i) for i, t in enumerate(reader.tables(table, "shocks"))),
        oracles=tuple(_oracle(reader, t, i) for i, t in enumerate(reader.tables(table, "oracles"))),
        battery_overrides=_overrides(reader, battery),
        gas_price_factor=reader.number(
            table, "gas_price_factor", low=1e-3, high=1e6, missing=1.0, where="the file"
        ),
        digest=hashlib.sha256(content).hexdigest(),
    )


def _target(reader: _Reader, table: Mapping[str, object], where: str) -> Target:
    classes = []
    for name in reader.texts(table, "classes"):
        try:
            classes.append(AssetClass(name))
        except ValueError as error:
            raise ConfigurationError(
                f"the scenario {reader.origin}: {where} names the class {name!r}; "
                f"there are {', '.join(AssetClass)}"
            ) from error
    symbols = reader.texts(table, "symbols")
    if not classes and not symbols:
        reader.fail(f"{where} names neither classes nor symbols")
    return Target(classes=tuple(classes), symbols=symbols)


def _shock(reader: _Reader, table: Mapping[str, object], i: int) -> Shock:
    where = f"shock {i + 1}"
    reader.known(table, where, ("classes", "symbols", "profile"))
    profile = table.get("profile")
    if not isinstance(profile, list) or not 1 <= len(profile) <= MAX_POINTS:
        reader.fail(f"{where} needs a profile of 1 to {MAX_POINTS} points [hours, multiple]")
    points = []
    for point in profile:
        if not isinstance(point, list) or len(point) != 2 or not all(map(_is_number, point)):
            reader.fail(f"{where} has the point {point!r}; give [hours, multiple]")
        points.append((float(point[0]), float(point[1])))
    hours, multiples = zip(*points, strict=True)
    if any(b <= a for a, b in pairwise(hours)) or hours[0] < 0.0 or hours[-1] > _LONGEST:
        reader.fail(f"{where}: hours must ascend from 0 or later to at most {_LONGEST:g}")
    if any(not 1e-6 <= m <= 1e3 for m in multiples):
        reader.fail(f"{where}: multiples must lie between 0.000001 and 1000")
    return Shock(target=_target(reader, table, where), hours=hours, multiples=multiples)


def _oracle(reader: _Reader, table: Mapping[str, object], i: int) -> OracleChange:
    where = f"oracle change {i + 1}"
    reader.known(table, where, ("classes", "symbols", "stuck", "factor", "latency"))
    stuck = table.get("stuck", False)
    if not isinstance(stuck, bool):
        reader.fail(f"{where}: stuck is {stuck!r}; give true or false")
    return OracleChange(
        target=_target(reader, table, where),
        stuck=stuck,
        factor=reader.number(table, "factor", low=1e-6, high=1e3, missing=1.0, where=where),
        latency=reader.number(table, "latency", low=0.0, high=86400.0, missing=0.0, where=where),
    )


def _overrides(reader: _Reader, table: object) -> tuple[Override, ...]:
    if not isinstance(table, dict):
        reader.fail("battery must be a table of settings")
    kinds = {f.name: str(f.type) for f in fields(Battery) if f.name not in _NOT_FOR_SCENARIOS}
    reader.known(table, "battery", tuple(kinds))
    overrides = []
    for name, value in table.items():
        good = {
            "bool": isinstance(value, bool),
            "int": isinstance(value, int) and not isinstance(value, bool),
            "str": isinstance(value, str) and len(value) <= MAX_TEXT,
        }.get(kinds[name], _is_number(value))
        if not good:
            reader.fail(f"battery.{name} is {value!r}; give a {kinds[name]}")
        overrides.append(
            Override(name=name, value=float(value) if kinds[name] == "float" else value)
        )
    return tuple(overrides)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


class _Reader:
    """Takes values out of tables and says in which file what is wrong."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def fail(self, what: str) -> NoReturn:
        raise ConfigurationError(f"the scenario {self.origin}: {what}")

    def known(self, table: Mapping[str, object], where: str, names: Sequence[str]) -> None:
        strange = [k for k in table if k not in names]
        if strange:
            self.fail(
                f"{where} has the unknown key {strange[0][:80]!r}; known are {', '.join(names)}"
            )

    def text(self, table: Mapping[str, object], name: str, *, missing: str | None = None) -> str:
        value = table.get(name, missing)
        if not isinstance(value, str) or len(value) > MAX_TEXT or (missing is None and not value):
            raise ConfigurationError(
                f"the scenario {self.origin}: {name} must be a text of 1 to {MAX_TEXT} characters"
            )
        return value

    def texts(self, table: Mapping[str, object], name: str) -> tuple[str, ...]:
        value = table.get(name, [])
        if (
            not isinstance(value, list)
            or len(value) > MAX_ENTRIES
            or not all(isinstance(v, str) and 0 < len(v) <= MAX_TEXT for v in value)
        ):
            raise ConfigurationError(
                f"the scenario {self.origin}: {name} must be a list of at most {MAX_ENTRIES} texts"
            )
        return tuple(value)

    def tables(self, table: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
        value = table.get(name, [])
        if (
            not isinstance(value, list)
            or len(value) > MAX_ENTRIES
            or not all(isinstance(v, dict) for v in value)
        ):
            raise ConfigurationError(
                f"the scenario {self.origin}: {name} must be at most {MAX_ENTRIES} [[{name}]] "
                "tables"
            )
        return value

    def number(
        self,
        table: Mapping[str, object],
        name: str,
        *,
        low: float,
        high: float,
        missing: float,
        where: str,
    ) -> float:
        value = table.get(name, missing)
        if not _is_number(value) or not low <= float(str(value)) <= high:
            raise ConfigurationError(
                f"the scenario {self.origin}: {where}: {name} is {value!r}; "
                f"give a number from {low:g} to {high:g}"
            )
        return float(str(value))
