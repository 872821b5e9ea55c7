"""The policy: bounds that turn numbers into a verdict, read from a TOML file.

The default policy is `templates/policy.toml`; its comments document every key.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evaluator.data_files import data_path
from evaluator.errors import ConfigurationError

MAX_BYTES = 256 * 1024

Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Check = Literal[
    "execution",
    "state",
    "battery",
    "users_at_execution",
    "conformance",
    "adversary",
    "user_actions",
    "safe_values",
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class FailBounds(_Section):
    """Bounds beyond which the verdict is FAIL."""

    execution_reverts: bool = True  # judge a reverting execution
    unannounced_control_change: bool = True  # judge roles, owners and code the text hides
    unannounced_payment_usd: NotNegative = 50_000.0  # USD, all payments the text hides
    broken_user_action: bool = True  # judge user actions that stop working
    adversary_usd: NotNegative = 50_000.0  # USD
    adversary_share_of_supplied: Fraction = 0.0002  # of the value supplied to the market
    bad_debt_chance_increase: Fraction = 0.01  # probability, paired difference
    expected_shortfall_growth: NotNegative = 1.0  # after / today - 1
    expected_shortfall_floor_usd: NotNegative = 50_000.0  # USD, less is immaterial
    liquidated_share_of_debt: Fraction = 0.001  # of the market's debt


class CautionBounds(_Section):
    """Bounds beyond which the verdict is CAUTION."""

    share_of_fail_bounds: Fraction = 0.5  # of each bound of FailBounds
    conformance_error: NotNegative = 0.001  # relative
    history_days: NotNegative = 30.0  # days of prices behind a calibration
    history_matters_share: Fraction = 0.05  # of collateral or debt
    beyond_safe_value: bool = True  # judge values beyond the safe one
    text_contradiction: bool = True  # judge descriptions that say another value
    text_unmentioned_change: bool = True  # judge parameters the description leaves out
    static_findings: bool = True  # judge grave weak points that the proposal brings in


class AdversaryBudget(_Section):
    """What the search for attacks may spend on each market."""

    sequences: Annotated[int, Field(ge=0, le=100_000)] = 200  # tried; 0 leaves the search out
    capital_usd: NotNegative = 50_000_000.0  # USD an attacker may bring, borrowed or his own


class PassRequirements(_Section):
    """What must have been looked at before anything can pass."""

    required_checks: tuple[Check, ...] = ("execution", "state", "battery", "adversary")


class NotModelledRules(_Section):
    """What the model does not know and need not know."""

    irrelevant: dict[str, str] = Field(default_factory=dict)  # function signature -> what it is


class Policy(BaseModel):
    """Bounds that turn evidence into a verdict."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Field(alias="schema")  # version of the policy file's format
    name: Annotated[str, Field(min_length=1, max_length=80)]  # shown in reports
    fail: FailBounds = FailBounds()
    caution: CautionBounds = CautionBounds()
    adversary: AdversaryBudget = AdversaryBudget()
    pass_: PassRequirements = Field(default=PassRequirements(), alias="pass")
    not_modelled: NotModelledRules = NotModelledRules()

    @classmethod
    def load(cls, path: Path | None = None) -> Policy:
        """Read a policy file, TOML or JSON; None reads the default one.

        Raises ConfigurationError naming the key, what was given and what is expected.
        """
        source = data_path("templates") / "policy.toml" if path is None else path
        try:
            if source.stat().st_size > MAX_BYTES:
                raise ConfigurationError(
                    f"the policy {source} is larger than {MAX_BYTES // 1024} KiB; "
                    "a policy is a short TOML file, see templates/policy.toml"
                )
            text = source.read_text(encoding="utf-8")
            # A replay writes the policy of its manifest as JSON, which has the same tables.
            document = json.loads(text) if source.suffix == ".json" else tomllib.loads(text)
        except OSError as e:
            raise ConfigurationError(
                f"the policy {source} cannot be read ({e.strerror}); give an existing TOML file"
            ) from e
        except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as e:
            raise ConfigurationError(f"the policy {source} is not valid TOML: {e}") from e
        if not isinstance(document, dict):
            raise ConfigurationError(f"the policy {source} is no table of keys")
        return cls.parse(document, source=str(source))

    @property
    def document(self) -> dict[str, Any]:
        """The policy as plain JSON values, as a file has it."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def parse(cls, document: dict[str, Any], *, source: str) -> Policy:
        """Build from a parsed TOML document; `source` names it in errors."""
        try:
            return cls.model_validate(document)
        except ValidationError as e:
            raise ConfigurationError(f"the policy {source}: {_explain(e)}") from e

    @property
    def digest(self) -> str:
        """sha256 of the policy's content, whatever its comments and order."""
        text = json.dumps(self.document, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _known_keys(where: tuple[str, ...]) -> list[str]:
    model: type[BaseModel] = Policy
    for part in where:
        for name, field in model.model_fields.items():
            if (field.alias or name) == part:
                kind = field.annotation
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    model = kind
    return [field.alias or name for name, field in model.model_fields.items()]


def _explain(error: ValidationError) -> str:
    """Say the first fault in words."""
    fault = error.errors()[0]
    where = tuple(str(part) for part in fault["loc"])
    key = ".".join(where)
    if fault["type"] == "extra_forbidden":
        known = _known_keys(where[:-1])
        near = difflib.get_close_matches(where[-1], known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"there is no key {key!r}; {hint}known here: {', '.join(sorted(known))}"
    if fault["type"] == "missing":
        return f"the key {key!r} is missing; see templates/policy.toml"
    return f"{key} = {fault['input']!r} is refused: {fault['msg']}"
