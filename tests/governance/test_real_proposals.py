"""Real proposals of Aave V2 and Compound, from the shared data when it is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evaluator.governance.decoding.calls import CallSource, RawAction, decode_actions

DATA = Path(__file__).parents[3] / "shared" / "data" / "governance"
AAVE = sorted((DATA / "aave_v2_proposals").glob("*.md"))
COMPOUND = sorted((DATA / "compound_bravo_reports").glob("*.md"))


def _aave_actions(text: str) -> list[RawAction]:
    def field(name: str) -> str:
        return re.search(rf"^- {name}: \[(.*)\]$", text, re.MULTILINE).group(1)

    targets = field("targets").split(",")
    # A comma outside of brackets separates two signatures.
    signatures = re.split(r",(?![^()]*\))", field("signatures"))
    calldatas = field("calldatas").split(",")
    values = field("values").split(",")
    assert len(targets) == len(signatures) == len(calldatas) == len(values)
    return [
        RawAction(
            target=t.strip(),
            value=int(v),
            signature=s.strip().encode(),
            calldata=bytes.fromhex(d.strip()[2:]),
        )
        for t, v, s, d in zip(targets, values, signatures, calldatas, strict=True)
    ]


@pytest.mark.skipif(not AAVE, reason="the shared data is not there")
def test_every_action_of_real_aave_proposals_is_decoded() -> None:
    seen, undecoded = 0, []
    for path in AAVE:
        text = path.read_text()
        if "- calldatas:" not in text:
            continue
        for action in decode_actions(_aave_actions(text)):
            seen += 1
            if action.decoded.source is CallSource.RAW:
                undecoded.append((path.stem, action.decoded.selector, action.decoded.error))
            else:
                assert action.decoded.name
                assert not action.decoded.notes, (path.stem, action.decoded)
    assert seen > 60
    assert undecoded == []


@pytest.mark.skipif(not AAVE, reason="the shared data is not there")
def test_a_real_risk_parameter_update_reads_as_its_analysis_says() -> None:
    (path,) = [p for p in AAVE if p.name.startswith("102-")]
    actions = decode_actions(_aave_actions(path.read_text()))
    values = [{a.name: a.value for a in action.decoded.arguments} for action in actions]
    assert [v["liquidationThreshold"] for v in values] == [8900, 7300, 7700, 8600]
    assert [v["ltv"] for v in values] == [8700, 6600, 6500, 8250]


@pytest.mark.skipif(not AAVE, reason="the shared data is not there")
def test_a_proposal_that_queues_another_one_is_unfolded() -> None:
    found = [
        action
        for path in AAVE
        if "signatures: [queue(address[]" in path.read_text()
        for action in decode_actions(_aave_actions(path.read_text()))
    ]
    (action,) = found
    assert action.decoded.name == "queue"
    (inner,) = action.children
    assert inner.decoded.name == "addPermissionAdmins"
    assert inner.decoded.source is CallSource.SIGNATURE


@pytest.mark.skipif(not COMPOUND, reason="the shared data is not there")
def test_every_function_real_compound_proposals_call_is_known() -> None:
    from evaluator.governance.decoding.known_calls import known_calls
    from evaluator.governance.decoding.signatures import parse_signature

    called = {
        parse_signature(match.group(1)).signature
        for path in COMPOUND
        for match in re.finditer(r"call `([A-Za-z_]+\([^)]*\))\(", path.read_text())
    }
    known = {call.fragment.signature for call in known_calls().values()}
    assert len(called) > 15
    assert called - known == set()
