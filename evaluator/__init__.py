"""Seatrial: executes governance proposals on a fork and measures what they do to survival.

This is the public face: the bot and plugins use these names and no others. They
are loaded when first used, so that `import evaluator.market` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from evaluator.chain.embedded import (
        EMBEDDED_LABEL,
        Deployment,
        EmbeddedChain,
        propose_collateral_factor_cut,
        propose_weth_threshold_cut,
        start_embedded,
    )
    from evaluator.chain.receipts import Log
    from evaluator.chain.redaction import redact, redact_logs
    from evaluator.chain.rpc import BlockRef, RpcClient, pin_block
    from evaluator.chain.sandbox import Sandbox
    from evaluator.chain.solidity import ensure_contracts
    from evaluator.errors import (
        ConfigurationError,
        ProposalError,
        ProtocolError,
        RpcError,
        RpcRateLimited,
        RpcUnreachable,
        SeatrialError,
        WrongChain,
    )
    from evaluator.evaluation import (
        Evaluation,
        EvaluationRequest,
        Progress,
        Silence,
        evaluate,
        open_state,
    )
    from evaluator.evaluation.drafting import draft, outline_markets, read_markets
    from evaluator.evaluation.scorecard import (
        Scorecard,
        scorecard,
    )
    from evaluator.evaluation.scorecard_text import (
        scorecard_json,
        scorecard_markdown,
        scorecard_sentence,
        scorecard_verdict,
    )
    from evaluator.evaluation.survey import Survey, survey
    from evaluator.governance.adapter import GovernorAdapter, open_governor
    from evaluator.governance.decoder import shared_decoder
    from evaluator.governance.proposal import Proposal, ProposalState
    from evaluator.report.charts import report_charts
    from evaluator.report.comparison import comparison_table
    from evaluator.report.drawing import Chart, Theme, to_png
    from evaluator.report.embed import to_embed
    from evaluator.report.files import read_manifest, read_report, to_json, write_report
    from evaluator.report.html import to_html
    from evaluator.report.markdown import to_markdown
    from evaluator.report.model import ReportModel
    from evaluator.report.screen import written
    from evaluator.sqlite import Database
    from evaluator.stress.battery import Battery
    from evaluator.stress.kernel.warmup import start_compiling
    from evaluator.stress.scenarios.library import scenario_names
    from evaluator.verdict.policy import Policy
    from evaluator.verdict.verdict import VerdictKind

_HOMES = {
    "evaluator.chain.embedded": (
        "EMBEDDED_LABEL",
        "Deployment",
        "EmbeddedChain",
        "propose_collateral_factor_cut",
        "propose_weth_threshold_cut",
        "start_embedded",
    ),
    "evaluator.chain.receipts": ("Log",),
    "evaluator.chain.redaction": ("redact", "redact_logs"),
    "evaluator.chain.rpc": ("BlockRef", "RpcClient", "pin_block"),
    "evaluator.chain.sandbox": ("Sandbox",),
    "evaluator.errors": (
        "ConfigurationError",
        "ProposalError",
        "ProtocolError",
        "RpcError",
        "RpcRateLimited",
        "RpcUnreachable",
        "SeatrialError",
        "WrongChain",
    ),
    "evaluator.evaluation": (
        "Evaluation",
        "EvaluationRequest",
        "Progress",
        "Silence",
        "evaluate",
        "open_state",
    ),
    "evaluator.evaluation.scorecard": ("Scorecard", "scorecard"),
    "evaluator.evaluation.scorecard_text": (
        "scorecard_json",
        "scorecard_markdown",
        "scorecard_sentence",
        "scorecard_verdict",
    ),
    "evaluator.chain.solidity": ("ensure_contracts",),
    "evaluator.evaluation.drafting": ("draft", "outline_markets", "read_markets"),
    "evaluator.evaluation.survey": ("Survey", "survey"),
    "evaluator.governance.adapter": ("GovernorAdapter", "open_governor"),
    "evaluator.governance.decoder": ("shared_decoder",),
    "evaluator.governance.proposal": ("Proposal", "ProposalState"),
    "evaluator.report.charts": ("report_charts",),
    "evaluator.report.comparison": ("comparison_table",),
    "evaluator.report.drawing": ("Chart", "Theme", "to_png"),
    "evaluator.report.embed": ("to_embed",),
    "evaluator.report.files": ("read_manifest", "read_report", "to_json", "write_report"),
    "evaluator.report.html": ("to_html",),
    "evaluator.report.markdown": ("to_markdown",),
    "evaluator.report.model": ("ReportModel",),
    "evaluator.report.screen": ("written",),
    "evaluator.sqlite": ("Database",),
    "evaluator.stress.battery": ("Battery",),
    "evaluator.stress.kernel.warmup": ("start_compiling",),
    "evaluator.stress.scenarios.library": ("scenario_names",),
    "evaluator.verdict.policy": ("Policy",),
    "evaluator.verdict.verdict": ("VerdictKind",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "EMBEDDED_LABEL",
    "Battery",
    "BlockRef",
    "Chart",
    "ConfigurationError",
    "Database",
    "Deployment",
    "EmbeddedChain",
    "Evaluation",
    "EvaluationRequest",
    "GovernorAdapter",
    "Log",
    "Policy",
    "Progress",
    "Proposal",
    "ProposalError",
    "ProposalState",
    "ProtocolError",
    "ReportModel",
    "RpcClient",
    "RpcError",
    "RpcRateLimited",
    "RpcUnreachable",
    "Sandbox",
    "Scorecard",
    "SeatrialError",
    "Silence",
    "Survey",
    "Theme",
    "VerdictKind",
    "WrongChain",
    "comparison_table",
    "draft",
    "ensure_contracts",
    "evaluate",
    "open_governor",
    "open_state",
    "outline_markets",
    "pin_block",
    "propose_collateral_factor_cut",
    "propose_weth_threshold_cut",
    "read_manifest",
    "read_markets",
    "read_report",
    "redact",
    "redact_logs",
    "report_charts",
    "scenario_names",
    "scorecard",
    "scorecard_json",
    "scorecard_markdown",
    "scorecard_sentence",
    "scorecard_verdict",
    "shared_decoder",
    "start_compiling",
    "start_embedded",
    "survey",
    "to_embed",
    "to_html",
    "to_json",
    "to_markdown",
    "to_png",
    "write_report",
    "written",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'evaluator' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
