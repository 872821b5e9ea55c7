import json

import jsonschema
import pytest
from pydantic import ValidationError

from evaluator.data_files import data_path
from evaluator.report.manifest import settings_of, versions
from evaluator.report.model import ReportModel
from evaluator.report.odds import Curves, Series
from evaluator.report.part import TEXT_LIMIT, canonical_json
from evaluator.report.schema import report_schema
from evaluator.stress.battery import Battery
from tests.report.samples import SAMPLES, caution, manifest


def test_schema_in_docs_is_current():
    path = data_path("docs") / "schema" / "report-1.json"
    assert path.read_text() == report_schema(), "run: python -m evaluator.report.schema docs/schema"


@pytest.mark.parametrize("name", SAMPLES)
def test_reports_survive_json_and_obey_the_schema(name):
    report = SAMPLES[name]()
    text = report.model_dump_json()
    back = ReportModel.model_validate_json(text)
    assert back == report
    assert back.computed_digest() == report.content_digest
    jsonschema.validate(json.loads(text), json.loads(report_schema()))


def test_any_change_breaks_the_seal():
    report = caution()
    data = report.model_dump(mode="json")
    data["markets"][0]["odds"][0]["today"]["value"] += 1e-9
    assert ReportModel.model_validate(data).computed_digest() != report.content_digest


def test_values_keep_their_kind():
    row = caution().parameters[0].model_dump() | {"before": True, "after": False}
    back = type(caution().parameters[0]).model_validate_json(json.dumps(row))
    assert back.before is True
    assert back.after is False


def test_infinity_unknown_keys_and_ragged_series_are_refused():
    data = caution().model_dump(mode="json")
    data["markets"][0]["debt_usd"] = float("inf")
    with pytest.raises(ValidationError):
        ReportModel.model_validate(data)
    with pytest.raises(ValidationError):
        ReportModel.model_validate(caution().model_dump() | {"surprise": 1})
    with pytest.raises(ValidationError, match="another length"):
        Curves(x=(0.0, 1.0), series=(Series(name="a", value=(1.0,)),), level=None)


def test_hostile_text_is_bounded_and_encodable():
    data = caution().model_dump(mode="json")
    data["proposal"]["description"] = "\ud800" + "x" * (TEXT_LIMIT * 2)
    text = ReportModel.model_validate(data).proposal.description
    assert len(text) == TEXT_LIMIT
    text.encode("utf-8")


def test_manifest_digest_covers_inputs_and_results_and_not_versions():
    a = manifest("PASS")
    assert a.digest == manifest("PASS", versions={"numpy": "9"}).digest
    assert a.digest != manifest("PASS", seed=1).digest
    assert a.digest != manifest("FAIL").digest
    assert a.inputs_digest == manifest("FAIL").inputs_digest
    assert a.inputs_digest != manifest("PASS", paths=7).inputs_digest


def test_manifest_names_inputs_before_results_that_differ():
    a = manifest("PASS")
    b = manifest("FAIL", battery={**a.battery, "step": 60.0}, versions={"seatrial": "0.1.0"})
    assert a.differences(a) == ()
    assert a.differences(manifest("PASS", versions={})) == ()
    assert a.differences(b) == (
        "battery.step: 3600.0 and 60.0",
        "verdict: 'PASS' and 'FAIL'",
        "version of numpy: 2.0.0 and none",
    )


def test_settings_are_plain_json_whatever_the_battery_holds():
    settings = settings_of(Battery(liquidator_capital=float("inf")))
    assert settings["liquidator_capital"] == "inf"
    assert settings["order"][0] == "refill"
    assert json.loads(canonical_json(settings))["paths"] == 10_000
    assert "seatrial" in versions()
