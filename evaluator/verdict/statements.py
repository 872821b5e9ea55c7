"""What a description states: clauses, the assets and parameters they name, and their numbers.

Reading is by rule, without a language model: a description is cut into clauses
(lines, sentences, table cells), and a clause states something about a parameter
if it names it, and an asset, in words of the vocabulary below.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from evaluator.market import Unit

TEXT_READ = 100_000  # characters of a description that are read
_CLAUSES = 4_000
_CLAUSE_LENGTH = 1_000

# Words people use for a parameter, by a word that its label or name contains.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "liquidation threshold": ("liquidation threshold", "liq. threshold", "liq threshold", "lt"),
    "ltv": ("ltv", "loan-to-value", "loan to value", "max ltv"),
    "liquidation bonus": ("liquidation bonus", "liquidation penalty", "lb"),
    "liquidation protocol fee": ("liquidation protocol fee", "protocol fee"),
    "reserve factor": ("reserve factor", "rf"),
    "supply cap": ("supply cap", "supply caps"),
    "borrow cap": ("borrow cap", "borrow caps"),
    "debt ceiling": ("debt ceiling", "isolation debt ceiling"),
    "collateral factor": ("collateral factor", "collateral factors", "cf"),
    "close factor": ("close factor",),
    "liquidation incentive": ("liquidation incentive", "incentive"),
    "frozen": ("frozen", "freeze", "freezes", "freezing", "unfreeze", "unfrozen"),
    "paused": ("paused", "pause", "pauses", "pausing", "unpause", "unpaused"),
    "borrowing enabled": ("borrowing enabled", "borrowing", "enable borrowing"),
    "flash loan": ("flash loan", "flash loans", "flashloan", "flashloans", "flash loan premium"),
    "optimal": ("optimal usage", "optimal utilization", "optimal utilisation", "uoptimal", "kink"),
    "slope 1": ("slope 1", "slope1", "variable slope 1"),
    "slope 2": ("slope 2", "slope2", "variable slope 2"),
    "base variable": ("base rate", "base variable borrow rate", "base borrow rate"),
    "interest rate strategy": ("interest rate strategy", "rate strategy", "interest rate model"),
    "interest rate model": ("interest rate model", "rate model"),
    "price source": ("price source", "price feed", "oracle", "feed"),
    "oracle": ("oracle", "price oracle", "price feed"),
    "emode": ("emode", "e-mode", "efficiency mode"),
    "implementation": ("implementation", "upgrade", "upgrades", "new version"),
}
_UP = re.compile(r"\b(?:rais\w*|increas\w*|lift\w*|higher|expand\w*)\b")
_DOWN = re.compile(r"\b(?:lower\w*|reduc\w*|decreas\w*|cut\w*|tighten\w*)\b")

_NUMBER = re.compile(
    r"(?<![\w.,])(?P<about>~|about |approximately |around )?(?P<sign>[+-])?[$]?"
    r"(?P<digits>\d{1,3}(?:[,_' ]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    r"\s?(?P<unit>%|percent(?:age points?)?\b|pp\b|bps\b|bp\b|basis points?\b"
    r"|thousand\b|million\b|billion\b|[kmb]\b)?(?![\w])"
)
_MULTIPLES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "billion": 1e9}
_TARGET = re.compile(r"(?:\bto|→|->|=>|=|:|\bat|\bof|\bbecomes?)\s*$")
_DELTA = re.compile(r"\bby\s*$")
_SOURCE = re.compile(r"(?:\bfrom|\bcurrently|\bis now|\bwas)\s*$")
_ADDRESS = re.compile(r"0x[0-9a-f]{40}(?![0-9a-f])")
_ORDINAL_UNITS = re.compile(r"\s*(?:days?|hours?|blocks?|votes?|weeks?|months?|years?)\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """A number in a text with how it was written."""

    value: float  # with its multiple, before any unit of a ratio
    unit: str  # "%", "bps" or ""
    role: str  # "target", "source", "delta" or "" as the word before it says
    slack: float  # half of the last digit written if the text says "about", else 0

    def readings(self, unit: Unit, *, gross: bool) -> tuple[float, ...]:
        """Return what the number can mean for a value in `unit`.

        `gross`: a bonus may be written as 5% or, gross, as 105%.
        """
        if unit not in (Unit.FRACTION, Unit.PER_YEAR):
            return (self.value,) if not self.unit else ()
        if self.unit == "%":
            found = [self.value / 100.0]
        elif self.unit == "bps":
            found = [self.value / 1e4]
        else:
            found = [self.value, self.value / 100.0, self.value / 1e4, self.value / 1e18]
        if gross:
            found += [v - 1.0 for v in found if v >= 1.0]
        return tuple(found)

    def means(self, value: float, unit: Unit, *, gross: bool = False) -> bool:
        """Tell whether the number can mean `value`."""
        slack = self.slack / (100.0 if self.unit == "%" else 1e4 if self.unit == "bps" else 1.0)
        return any(
            math.isclose(r, value, rel_tol=1e-9, abs_tol=max(1e-12, slack))
            for r in self.readings(unit, gross=gross)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Clause:
    """A piece of the description that states one thing."""

    text: str  # as written, one line
    lower: str  # the same, folded for matching
    assets: frozenset[str]  # symbols it names, or that its heading names
    labels: frozenset[str]  # keys of the vocabulary it names, or that its column names
    numbers: tuple[Number, ...]


def plain(text: str) -> str:
    """Bring a text into compatible forms, without mark-up and invisible characters."""
    kept = unicodedata.normalize("NFKC", text[:TEXT_READ])
    kept = "".join(c for c in kept if c in "\n\t" or unicodedata.category(c)[0] != "C")
    return re.sub(r"[*`]|(?<!\w)_|_(?!\w)|\\(?=[^\w\s])", "", kept)


def folded(text: str) -> str:
    """Fold a text for matching words: `plain`, without case."""
    return plain(text).casefold()


def addresses(text: str) -> frozenset[str]:
    """Return every address in a folded text, lower-case."""
    return frozenset(_ADDRESS.findall(text))


def numbers(text: str) -> tuple[Number, ...]:
    """Return every number of a folded clause; dates, ids, names and addresses are none."""
    found = []
    for m in _NUMBER.finditer(_ADDRESS.sub(" ", text)):
        if not m["unit"] and _ORDINAL_UNITS.match(m.string, m.end()):
            continue
        before = m.string[max(0, m.start() - 24) : m.start()]
        digits = re.sub(r"[,_' ]", "", m["digits"])
        unit = (m["unit"] or "").rstrip("s")
        ratio = {"%": "%", "percent": "%", "pp": "%", "bp": "bps", "basi point": "bps"}.get(
            unit.replace("basis point", "basi point"), ""
        )
        if unit.startswith("percentage point"):
            ratio = "%"
        multiple = _MULTIPLES.get(unit, 1.0)
        last = 10.0 ** -len(digits.partition(".")[2])
        role = (
            "delta"
            if _DELTA.search(before)
            else "source"
            if _SOURCE.search(before)
            else "target"
            if _TARGET.search(before)
            else ""
        )
        found.append(
            Number(
                value=float(digits) * multiple * (-1.0 if m["sign"] == "-" else 1.0),
                unit=ratio,
                role=role,
                slack=0.5 * last * multiple if m["about"] else 0.0,
            )
        )
    return tuple(found)


def label_key(label: str) -> str:
    """Return the key of the vocabulary that a parameter's label belongs to."""
    folded_label = label.casefold()
    # The longest first: "liquidation protocol fee" before anything shorter in it.
    for key in sorted(_SYNONYMS, key=len, reverse=True):
        if key in folded_label:
            return key
    return folded_label


def _word(word: str) -> str:
    return rf"(?<![\w]){re.escape(word)}(?![\w])"


# "Moves it from 80% to 74%" speaks of what the heading names.
_IT = re.compile(r"\b(?:it|this|that)\b(?=.*\bto\b)")


def _single(names: frozenset[str]) -> frozenset[str]:
    return names if len(names) == 1 else frozenset()


def _symbol_pattern(symbol: str, known: set[str], others: Collection[str] = ()) -> re.Pattern[str]:
    """Match a symbol as it is written or in capitals: "link" and "dai" are words as well.

    `others` are further names of the asset, matched as they are written.
    """
    words = {plain(symbol), plain(symbol).upper(), *(plain(x) for x in others if x not in known)}
    # People say ETH for WETH, unless the market has both.
    if symbol in ("WETH", "WBTC") and symbol[1:] not in known:
        words.add(symbol[1:])
    return re.compile("|".join(_word(w) for w in sorted(words) if w) or r"(?!)")


class Reader:
    """Reads descriptions for given assets and labels; `names` are other names of assets."""

    def __init__(
        self,
        symbols: Iterable[str],
        labels: Iterable[str],
        names: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        known = {x for x in symbols if x}
        names = names or {}
        self._assets = {s: _symbol_pattern(s, known, names.get(s, ())) for s in sorted(known)}
        keys = {label_key(x) for x in labels}
        self._labels = {
            k: re.compile("|".join(_word(w) for w in (*_SYNONYMS.get(k, ()), k)))
            for k in sorted(keys)
        }

    def assets(self, text: str) -> frozenset[str]:
        """Return the assets a plain text names."""
        return frozenset(s for s, p in self._assets.items() if p.search(text))

    def labels(self, lower: str) -> frozenset[str]:
        """Return the keys of parameters a folded text names.

        A shorter key is dropped where a longer one contains its words.
        """
        spans = [
            (m.start(), m.end(), k) for k, p in self._labels.items() for m in p.finditer(lower)
        ]
        return frozenset(
            k
            for a, b, k in spans
            if not any(
                (c <= a and b <= d) and (d - c > b - a) for c, d, other in spans if other != k
            )
        )

    def clauses(self, text: str) -> tuple[Clause, ...]:
        """Cut a description into clauses with the assets and parameters they speak of."""
        found: list[Clause] = []
        whole = self.assets(plain(text))
        heading: frozenset[str] = whole if len(whole) == 1 else frozenset()
        # "MKR: 35%" under a heading, or in a text, that speaks of one parameter only.
        only = _single(self.labels(folded(text)))
        topic = only
        header: list[str] = []
        for raw in unicodedata.normalize("NFKC", text[:TEXT_READ]).splitlines():
            line = raw.strip()[:_CLAUSE_LENGTH]
            if len(found) >= _CLAUSES:
                break
            if line.startswith("|") or line.count("|") >= 2:
                cells = [c.strip() for c in line.strip("|").split("|")]
                if all(re.fullmatch(r":?-{2,}:?", c) for c in cells):
                    continue
                if not header:
                    header = cells
                    continue
                found += self._table_row(header, cells, heading)
                continue
            header = []
            if not line:
                continue
            if line.startswith("#") or re.fullmatch(r"\*\*[^*]+\*\*:?", line):
                named = self.assets(plain(line))
                heading = named or (whole if len(whole) == 1 else frozenset())
                topic = _single(self.labels(folded(line))) or only
            for piece in re.split(r"(?<=[a-z0-9%)])[.;](?=\s|$)", line):
                if piece.strip():
                    found.append(self._clause(piece.strip(), piece.strip(), heading, topic))
        return tuple(found[:_CLAUSES])

    def _clause(
        self, shown: str, text: str, heading: frozenset[str], topic: frozenset[str]
    ) -> Clause:
        lower = folded(text)
        assets, found = self.assets(plain(text)), numbers(lower)
        # A topic lends its name to a value of an asset, or of "it", not to any sentence under it.
        meant = assets or (heading if _IT.search(lower) else frozenset())
        labels = self.labels(lower) or (topic if meant and found else frozenset())
        return Clause(
            text=shown, lower=lower, assets=assets or heading, labels=labels, numbers=found
        )

    def _table_row(
        self, header: list[str], cells: list[str], heading: frozenset[str]
    ) -> list[Clause]:
        shown = " | ".join(cells)
        columns = [self.labels(folded(h)) for h in header]
        if sum(1 for c in columns if c) >= 1 and not self.labels(folded(cells[0])):
            # One column for each parameter, one row for each asset.
            return [
                self._clause(f"{cells[0]} {header[i]} {cell}", f"{cells[0]} : {cell}", heading, c)
                for i, (cell, c) in enumerate(zip(cells, columns, strict=False))
                if c
            ]
        # One row for each parameter: the last cell with a number is what it becomes.
        told = [c for c in cells[1:] if numbers(folded(c))]
        return [
            self._clause(shown, f"{cells[0]} to {told[-1] if told else ''}", heading, frozenset())
        ]


def direction(lower: str) -> int:
    """Return +1 for a folded clause of raising, -1 for lowering, 0 for neither or both."""
    up, down = bool(_UP.search(lower)), bool(_DOWN.search(lower))
    return int(up) - int(down)
