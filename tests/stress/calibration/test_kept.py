"""Fits that were made before are read back, and nothing but what was found."""

from __future__ import annotations

import json

import numpy as np
import pytest

from evaluator.stress.calibration import kept
from evaluator.stress.calibration.kept import any_kept, kept_fit
from evaluator.stress.calibration.volatility import fit_variance

RETURNS = np.random.default_rng(3).standard_normal(600) * 0.01


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEATRIAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Fit:
    """A fit that counts how often it is made."""

    def __init__(self, found):
        self.found, self.made = found, 0

    def __call__(self, returns):
        self.made += 1
        return self.found


@pytest.mark.parametrize("found", [(0.1, 1 / 3, None, 5e-324), None, ()])
def test_what_was_found_is_read_back_to_the_bit(found):
    fit = Fit(found)
    assert not any_kept()
    assert [kept_fit("a", len(found or ()), RETURNS, fit) for _ in range(3)] == [found] * 3
    assert fit.made == 1
    assert any_kept()


def test_other_returns_and_other_fits_are_made():
    fit = Fit((1.0,))
    changed = RETURNS.copy()
    changed[17] = np.nextafter(changed[17], 1.0)
    for name, returns in (("a", RETURNS), ("b", RETURNS), ("a", changed), ("a", RETURNS[1:])):
        kept_fit(name, 1, returns, fit)
    assert fit.made == 4


@pytest.mark.parametrize(
    "content", [b"", b"{", b'"text"', b"[1, true]", b"[1.0, 2.0]", b"\xff", b'{"a": 1}']
)
def test_a_damaged_file_is_made_again(own_cache, content):
    fit = Fit((0.25,))
    kept_fit("a", 1, RETURNS, fit)
    (file,) = (own_cache / "fits").iterdir()
    file.write_bytes(content)
    assert kept_fit("a", 1, RETURNS, fit) == (0.25,)
    assert fit.made == 2
    assert json.loads(file.read_text()) == [0.25]


def test_without_a_folder_to_write_to_every_fit_is_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEATRIAL_CACHE", str(tmp_path / "file"))
    fit = Fit((0.25,))
    assert [kept_fit("a", 1, RETURNS, fit) for _ in range(2)] == [(0.25,)] * 2
    assert fit.made == 2
    assert not any_kept()


def test_a_full_disk_costs_the_fit_and_nothing_else(own_cache, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "write_whole", full)
    fit = Fit((0.25,))
    assert [kept_fit("a", 1, RETURNS, fit) for _ in range(2)] == [(0.25,)] * 2
    assert fit.made == 2


def test_only_so_many_are_kept(own_cache, monkeypatch):
    monkeypatch.setattr(kept, "_MOST", 3)
    for k in range(6):
        kept_fit(str(k), 1, RETURNS, Fit((float(k),)))
    assert len(list((own_cache / "fits").iterdir())) == 3
    last = Fit((9.0,))
    assert kept_fit("5", 1, RETURNS, last) == (5.0,)
    assert last.made == 0


def test_volatility_is_the_same_from_the_cache():
    first, second = (fit_variance(RETURNS, step=3600.0) for _ in range(2))
    assert first == second
    assert any_kept()
