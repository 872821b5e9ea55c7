"""A squeeze beside the other attacks: which counts, and what a reader is told."""

from __future__ import annotations

from dataclasses import replace

from evaluator.arena.squeeze_position import Side, Squeeze, SqueezePosition
from evaluator.arena.squeeze_replay import SqueezeReplay
from evaluator.evaluation.squeezing import NOT_SQUEEZED, Squeezed, TriedSqueeze
from evaluator.report.model import AdversarySection
from evaluator.verdict.evidence import AdversaryEvidence
from evaluator.verdict.finding import FindingKind, Severity

SQUEEZE = Squeeze(
    position=SqueezePosition(
        side=Side.BORROWED, collateral="USDC", debt="CRV", supplied=5e7, borrowed=4e7
    ),
    factor=2.0, hours=6.0, capital_usd=5e7, loss_after=3e7, loss_before=1e6, profit=2e7,
    depth_usd=1e7, assumed_depth=False,
)  # fmt: skip
REPLAY = SqueezeReplay(
    loss_model=3e7,
    loss_contract=2.9e7,
    liquidations=79,
    refused=0,
    transactions=(),
)
TRIED = TriedSqueeze(market="Aave V3", squeeze=SQUEEZE, replay=REPLAY)
SEARCH = AdversaryEvidence(sequences=200, gain_usd=0.0, loss_usd=0.0, market="", what="")


def squeezed(*tried):
    return Squeezed(tried=4, squeezes=tried)


def test_the_larger_of_search_and_squeeze_counts():
    found = squeezed(TRIED).beside(SEARCH)
    assert (found.sequences, found.market) == (204, "Aave V3")
    assert (found.loss_usd, found.gain_usd) == (29e6, 2e7)
    assert "borrow 40,000,000 CRV" in found.what
    worse = replace(SEARCH, loss_usd=1e9, market="Venus", what="worse")
    assert squeezed(TRIED).beside(worse) == replace(worse, sequences=204)
    assert squeezed(TRIED).beside(None).loss_usd == 29e6


def test_without_a_squeeze_the_search_stands_and_no_search_stays_none():
    assert NOT_SQUEEZED.beside(None) is None
    assert NOT_SQUEEZED.beside(SEARCH) == SEARCH
    assert NOT_SQUEEZED.findings() == ()


def test_what_the_contracts_did_not_show_or_depth_that_was_assumed_is_only_told():
    for doubtful in (
        replace(TRIED, replay=None),
        replace(TRIED, replay=replace(REPLAY, loss_contract=1e6)),
        replace(TRIED, squeeze=replace(SQUEEZE, assumed_depth=True)),
    ):
        assert squeezed(doubtful).beside(SEARCH).loss_usd == 0.0
        (finding,) = squeezed(doubtful).findings()
        assert (finding.kind, finding.severity) == (FindingKind.NOTE, Severity.MEDIUM)
    (finding,) = squeezed(TRIED).findings()
    assert (finding.kind, finding.severity) == (FindingKind.ADVERSARY, Severity.HIGH)
    assert "the contracts lose 97% in 79 liquidations" in finding.detail


def test_the_report_tells_the_squeeze_unless_an_attack_is_worse():
    section = AdversarySection(
        sequences=200, budget_usd=5e7, gain_usd=0.0, loss_usd=0.0, what="", confirmed=False
    )
    told = squeezed(TRIED).told(section)
    assert (told.loss_usd, told.confirmed, told.sequences) == (29e6, True, 204)
    worse = section.model_copy(update={"loss_usd": 1e9, "what": "worse"})
    assert squeezed(TRIED).told(worse).what == "worse"
    assert squeezed(TRIED).told(None) is None


def test_every_squeeze_stands_among_the_attacks_with_what_a_replay_needs():
    section = AdversarySection(
        sequences=200, budget_usd=5e7, gain_usd=0.0, loss_usd=0.0, what="", confirmed=False
    )
    doubtful = replace(TRIED, squeeze=replace(SQUEEZE, assumed_depth=True, loss_after=2e7))
    row, other = squeezed(doubtful, TRIED).told(section).attacks
    assert (row.protocol_loss_usd, row.capital_usd, row.before_loss_usd) == (3e7, 5e7, 1e6)
    assert (row.confirmed, other.confirmed) == (True, False)
    assert row.identifier == squeezed(TRIED).findings()[0].identifier
    assert Squeeze.from_json(row.sequence) == SQUEEZE
    assert len(row.moves) == 4
