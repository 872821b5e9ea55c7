"""The JSON schema of reports and manifests; `python -m evaluator.report.schema DIR` writes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from evaluator.report.model import ReportModel


def report_schema() -> str:
    """Return the JSON schema of a report, as the file in `docs/schema` has it."""
    schema = ReportModel.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Seatrial report 1.0"
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def write_schema(folder: Path) -> Path:
    """Write `report-1.json` into `folder` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report-1.json"
    path.write_text(report_schema(), encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.stdout.write(f"{write_schema(Path(sys.argv[1]))}\n")
