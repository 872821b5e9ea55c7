"""The settings file: what is accepted, and what is said about faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import ConfigurationError
from bot.settings import load_settings

GOOD = """
[[chains]]
name = "ethereum"
chain_id = 1
urls = [{ env = "SEATRIAL_TEST_RPC" }, "http://127.0.0.1:8545"]

[[governors]]
chain = "ethereum"
address = "0xEC568fffba86c094cf06b22134B23074DFE2252c"
name = "Aave"
forum_topics = { "214" = 77 }

[discourse]
url = "https://forum.example.org"
username = "seatrial"
api_key = { file = "key.txt" }
category = 5
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEATRIAL_TEST_RPC", "https://rpc.example.org/v2/rpckey0123456789abcdef")
    (tmp_path / "key.txt").write_text("discoursekey0123456789\n")
    return tmp_path


def _write(folder: Path, text: str) -> Path:
    path = folder / "bot.toml"
    path.write_text(text)
    return path


def test_a_good_file_is_read_and_secrets_are_fetched(folder: Path) -> None:
    settings = load_settings(_write(folder, GOOD))
    assert settings.discourse is not None
    assert settings.discourse.api_key.get_secret_value() == "discoursekey0123456789"
    assert settings.governors[0].address == "0xec568fffba86c094cf06b22134b23074dfe2252c"
    assert settings.governors_of("ethereum") == settings.governors
    assert settings.operation.database == Path("seatrial-bot.db")
    assert set(settings.secrets()) == {
        "https://rpc.example.org/v2/rpckey0123456789abcdef",
        "http://127.0.0.1:8545",
        "https://forum.example.org",
        "discoursekey0123456789",
    }


def test_no_representation_shows_a_secret(folder: Path) -> None:
    settings = load_settings(_write(folder, GOOD))
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "discoursekey" not in shown
        assert "rpckey" not in shown


def test_paths_are_taken_from_the_files_own_folder(folder: Path) -> None:
    text = GOOD + '\n[operation]\ndatabase = "state/bot.db"\n'
    assert load_settings(_write(folder, text)).operation.database == folder / "state" / "bot.db"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('{ file = "key.txt" }', '"plainkey0123456789"', "a secret is not written into"),
        ('{ file = "key.txt" }', '{ file = "gone.txt" }', "cannot be read: No such file"),
        ('{ file = "key.txt" }', '{ env = "SEATRIAL_UNSET" }', "SEATRIAL_UNSET is not set"),
        ('"http://127.0.0.1:8545"', '"ftp://x"', "expected a URL starting with http or https"),
        ('chain = "ethereum"', 'chain = "base"', "names the chain 'base', known are: ethereum"),
        ("0xEC568f", "0xEC568", "expected an address of 0x and 40 hexadecimal digits"),
        ("chain_id = 1", "chain_id = 0", "chains.0.chain_id: Input should be greater than"),
        ("category = 5", "categorie = 5", "discourse.categorie: there is no such setting"),
        ("category = 5", "", "discourse.category: is missing"),
        ("[[chains]]", "[[chains]", "is not TOML"),
    ],
)
def test_a_fault_is_named_plainly(folder: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigurationError) as caught:
        load_settings(_write(folder, GOOD.replace(old, new)))
    assert said in str(caught.value)
    assert "plainkey" not in str(caught.value)


def test_all_faults_are_named_at_once(folder: Path) -> None:
    text = GOOD.replace("category = 5", "").replace("chain_id = 1", 'chain_id = "x"')
    with pytest.raises(ConfigurationError, match=r"2 fault\(s\)"):
        load_settings(_write(folder, text))


def test_duplicates_are_refused(folder: Path) -> None:
    governor = GOOD[GOOD.index("[[governors]]") : GOOD.index("[discourse]")]
    with pytest.raises(ConfigurationError, match="listed twice"):
        load_settings(_write(folder, GOOD + governor))
    chain = GOOD[GOOD.index("[[chains]]") : GOOD.index("[[governors]]")]
    with pytest.raises(ConfigurationError, match="two chains are called 'ethereum'"):
        load_settings(_write(folder, GOOD + chain))


def test_a_missing_file_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"docs/operate\.md"):
        load_settings(tmp_path / "none.toml")
