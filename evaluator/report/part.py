"""What every part of the report's model has in common."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from evaluator.report.inert import encodable

# Longer texts are cut with an ellipsis; a proposal's description is the longest.
TEXT_LIMIT = 100_000


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    clean = encodable(value)
    return clean if len(clean) <= TEXT_LIMIT else clean[: TEXT_LIMIT - 1] + "…"


# Text as it was found: UTF-8, bounded, otherwise untouched. Renderings make it inert.
Text = Annotated[str, BeforeValidator(_text)]


class Part(BaseModel):
    """A frozen part of the model; NaN, infinity and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def canonical_json(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, ASCII, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(value: object) -> str:
    """Return the sha256 of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode("ascii")).hexdigest()
