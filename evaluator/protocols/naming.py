"""Names of parameters.

A path is `<protocol>.<symbol>.<name>` for a parameter of one asset,
`<protocol>.<name>` for one of the whole market and
`<protocol>.emode.<category>.<name>` for one of an eMode category; `<name>` may
itself have parts, as in `rate_curve.slope2`, `oracle.source`,
`paused.liquidate`. Symbols may hold dots ("BTC.b"), so a path is a key to look
up, and what it is made of stands in `Parameter.asset` and `Parameter.name`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evaluator.market import Parameter, RateCurve, Unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """What a protocol calls a parameter and where it is set."""

    label: str  # in the protocol's own words
    unit: Unit  # of its value
    settable_by: str = ""  # contract and function


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """The words of one protocol, by name of the parameter."""

    protocol: str  # prefix of every path
    words: Mapping[str, Word]  # by Parameter.name; "*" stands for any one part

    def parameter(self, name: str, value: float | bool | str, *, asset: str = "") -> Parameter:
        """Build the parameter `name` with its path. KeyError for a name without words."""
        word = self.words.get(name)
        if word is None:
            parts = name.split(".")
            starred = ".".join(["*" if p.isdigit() else p for p in parts])
            word = self.words[starred]
        middle = f"{asset}." if asset else ""
        return Parameter(
            path=f"{self.protocol}.{middle}{name}",
            protocol=self.protocol,
            asset=asset,
            name=name,
            label=word.label,
            value=value,
            unit=word.unit,
            settable_by=word.settable_by,
        )

    def rate_curve(self, curve: RateCurve, *, asset: str) -> list[Parameter]:
        """Build the four parameters of a rate curve."""
        return [
            self.parameter("rate_curve.base", curve.base, asset=asset),
            self.parameter("rate_curve.slope1", curve.slope1, asset=asset),
            self.parameter("rate_curve.slope2", curve.slope2, asset=asset),
            self.parameter("rate_curve.optimal", curve.optimal, asset=asset),
        ]
