"""What the Discord tests share."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from evaluator import to_embed, to_json

sys.path[:0] = [str(Path(__file__).parents[1] / "toys"), str(Path(__file__).parents[2] / "report")]


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the parts of two finished evaluations: fail.json and caution.json."""
    import samples

    folder = tmp_path_factory.mktemp("reports")
    for name, report in (("fail", samples.failing()), ("caution", samples.caution())):
        parts = {
            "verdict": report.headline.verdict,
            "headline": f"{report.headline.sentence}. {report.headline.reason}.",
            "block": report.proposal.block,
            "report": to_json(report),
            "markdown": "## A report",
            "embed": json.dumps(to_embed(report, image="attachment://survival-dark.png")),
        }
        (folder / f"{name}.json").write_text(json.dumps(parts))
    return folder
