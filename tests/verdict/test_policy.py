import tomllib

import pytest

from evaluator.data_files import data_path
from evaluator.errors import ConfigurationError
from evaluator.verdict import Policy


def test_default_file_says_what_the_defaults_in_code_say():
    default = Policy.load()
    bare = Policy.parse({"schema": 1, "name": "default"}, source="test")
    assert default.fail == bare.fail
    assert default.caution == bare.caution
    assert default.pass_ == bare.pass_
    assert default.not_modelled.irrelevant


def test_every_key_stands_in_the_default_file_with_a_comment_above_its_section():
    text = (data_path("templates") / "policy.toml").read_text()
    document = tomllib.loads(text)
    schema = Policy.model_json_schema(by_alias=True)
    for section, definition in (
        ("fail", "FailBounds"),
        ("caution", "CautionBounds"),
        ("pass", "PassRequirements"),
    ):
        assert set(document[section]) == set(schema["$defs"][definition]["properties"])
    lines = text.splitlines()
    for line, above in zip(lines[1:], lines, strict=False):
        if "=" in line and not line.startswith(("#", '"')):
            assert above.startswith("#") or "=" in above or above == "" or "[" in above


def test_unknown_key_is_refused_with_the_nearest_one(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text('schema = 1\nname = "x"\n[fail]\nadversary_us = 3\n')
    with pytest.raises(ConfigurationError) as e:
        Policy.load(path)
    assert "fail.adversary_us" in str(e.value)
    assert "did you mean 'adversary_usd'" in str(e.value)
    assert "expected_shortfall_growth" in str(e.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 'x'", "schema"),
        ("schema = 2\nname = 'x'", "schema = 2"),
        ("schema = 1\nname = 'x'\n[fail]\nbad_debt_chance_increase = 3", "less than or equal to 1"),
        ("schema = 1\nname = 'x'\n[fail]\nadversary_usd = nan", "adversary_usd"),
        ("schema = 1\nname = 'x'\n[pass]\nrequired_checks = ['luck']", "required_checks"),
        ("schema = ", "not valid TOML"),
        ("schema = 1\nname = 'x'\nnonsense = 1", "nonsense"),
    ],
)
def test_faults_are_named(tmp_path, text, words):
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=words.replace("[", r"\[")):
        Policy.load(path)


def test_missing_binary_and_huge_files_are_configuration_errors(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Policy.load(tmp_path / "none.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        Policy.load(tmp_path / "b.toml")
    (tmp_path / "h.toml").write_text("#" * 300_000)
    with pytest.raises(ConfigurationError, match="larger than"):
        Policy.load(tmp_path / "h.toml")


def test_digest_ignores_comments_and_order_and_nothing_else(tmp_path):
    a, b, c = (tmp_path / n for n in ("a.toml", "b.toml", "c.toml"))
    a.write_text("schema = 1\nname = 'x'\n[fail]\nadversary_usd = 7\nexecution_reverts = true\n")
    b.write_text(
        "# x\nname = 'x'\nschema = 1\n[fail]\nexecution_reverts = true\nadversary_usd = 7\n"
    )
    c.write_text("schema = 1\nname = 'x'\n[fail]\nadversary_usd = 8\n")
    assert Policy.load(a).digest == Policy.load(b).digest != Policy.load(c).digest
