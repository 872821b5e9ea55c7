"""Descriptions of real Compound proposals held against what their execution set."""

import re
from pathlib import Path

import pytest

from evaluator.market import ParameterChange, Unit
from evaluator.verdict.text import Agreement, compare_text

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "governance"
FOLDER = DATA / "compound_bravo_reports"
MARKETS = {
    "0xe65cdb6479bac1e22340e4e755fae7e509ecd06c": "AAVE",
    "0xface851a4921ce59e912d19329929ce6da6eb0c7": "LINK",
    "0x95b4ef2869ebd94beb4eee400a99824bf5dc325b": "MKR",
    "0x4b0181102a0112a2ef11abee5563bb4a3176c9d7": "SUSHI",
    "0x39aa39c021dfbae8fac545936693ac917d5e7563": "USDC",
    "0x80a2ae356fc9ef4305676f7a3e2ed04e12c33946": "YFI",
    "0x4ddc2d193948926d02f9b1fe9e1daa0718270ed5": "ETH",
    "0x5d3a536e4d6dbd6114cc1ead35777bab948e3643": "DAI",
    "0x6c8c6b02e7b2be14d4fa6022dfd6d75921d90e4e": "BAT",
    "0x70e36f6bf80a52b3b46b3af8e106cc0ed743e8e4": "COMP",
    "0xb3319f5d18bc0d84dd1b4825dcde5d5f7266d407": "ZRX",
    "0x35a18000230da775cac24873d00ff85bccded550": "UNI",
    "0x158079ee67fce2f58472a96584a73c7ab9ac95c1": "REP",
    "0xccf4429db6322d5c611ee964527d42e5d685dd6a": "WBTC",
    "0xc11b1268c1a384e55c48c2391d8d480264a3a7f4": "WBTC",
}
EVENT = re.compile(
    r"NewCollateralFactor\(cToken: (0x[0-9a-f]{40}), oldCollateralFactorMantissa: (\d+),"
    r" newCollateralFactorMantissa: (\d+)\)"
)


def read(path):
    text = path.read_text(encoding="utf-8")
    said = re.search(r"<summary>Proposal text</summary>\n(.*?)</details>", text, re.DOTALL)
    changes = tuple(
        ParameterChange(
            path=f"compound_v2.{MARKETS[market]}.{market}",
            protocol="compound_v2",
            asset=MARKETS[market],
            name="collateral_factor",
            label="collateral factor",
            unit=Unit.FRACTION,
            before=int(old) / 1e18,
            after=int(new) / 1e18,
        )
        for market, old, new in dict.fromkeys(EVENT.findall(text))
        if market in MARKETS and old != new
    )
    lines = said.group(1).splitlines() if said else []
    return "\n".join(re.sub(r"^> ?", "", line) for line in lines), changes


@pytest.fixture(scope="module")
def proposals():
    if not FOLDER.is_dir():
        pytest.skip("the shared governance reports are not here")
    found = [(p.name, *read(p)) for p in sorted(FOLDER.glob("*.md"))]
    return [(name, text, changes) for name, text, changes in found if changes and text]


def test_honest_descriptions_are_never_contradicted_and_agree_where_they_give_values(proposals):
    told, stated = [], 0
    for name, text, changes in proposals:
        for change, statement in zip(
            changes, compare_text(text, changes=changes).statements, strict=True
        ):
            # Many authors show their values in pictures only; the others must be understood.
            value = rf"(?<![\d.]){change.after * 100:g}%"
            lines = [x for x in text.splitlines() if change.asset in x and re.search(value, x)]
            stated += bool(lines)
            wanted = (Agreement.AGREES,) if lines else (Agreement.NAMED, Agreement.NOT_MENTIONED)
            if statement.agreement not in wanted:
                told.append((name, change.asset, statement))
    assert told == []
    assert stated >= 16


def test_the_same_descriptions_with_other_values_set_are_found_out(proposals):
    missed = []
    for name, text, changes in proposals:
        for change in changes:
            moved = ParameterChange(
                **{
                    f: getattr(change, f)
                    for f in ("path", "protocol", "asset", "name", "label", "unit", "before")
                },
                after=change.after + 0.0137,
            )
            if compare_text(text, changes=(change,)).statements[0].agreement is Agreement.AGREES:
                result = compare_text(text, changes=(moved,)).statements[0].agreement
                if result is Agreement.AGREES:
                    missed.append((name, change.asset))
    assert missed == []
