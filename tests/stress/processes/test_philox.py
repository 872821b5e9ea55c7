"""The generator against its published answers, and the arithmetic against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from scipy import stats

from evaluator.stress.processes import arithmetic, philox

# Random123's kat_vectors, philox4x32 with 10 rounds: counter, key, answer.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def words(text):
    return [np.uint64(int(w, 16)) for w in text.split()]


@njit
def _philox(k0, k1, c0, c1, c2, c3):
    return philox.philox(k0, k1, c0, c1, c2, c3)


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers(counter, key, answer):
    assert list(_philox(*words(key), *words(counter))) == words(answer)


@njit
def _apply(which, x, out):
    for i in range(len(x)):
        if which == 0:
            out[i] = arithmetic.exp(x[i])
        elif which == 1:
            out[i] = arithmetic.log(x[i])
        elif which == 2:
            out[i] = arithmetic.sine_cosine(x[i])[0]
        else:
            out[i] = arithmetic.sine_cosine(x[i])[1]


@pytest.mark.parametrize(
    ("which", "numpy_function", "low", "high"),
    [
        (0, np.exp, -690.0, 690.0),
        (1, np.log, 1e-17, 1.0),
        (1, np.log, 1.0, 1e9),
        (2, lambda x: np.sin(2 * np.pi * x), 0.0, 1.0),
        (3, lambda x: np.cos(2 * np.pi * x), 0.0, 1.0),
    ],
)
def test_arithmetic_equals_numpy(which, numpy_function, low, high):
    x = np.random.default_rng(1).uniform(low, high, 20_000)
    out = np.empty_like(x)
    _apply(which, x, out)
    assert np.allclose(out, numpy_function(x), rtol=4e-15, atol=2e-15)


def test_normals_are_normal_and_unrelated():
    normals = np.empty((40, 5001))
    philox.fill_normals(philox.stream_key(3), 0, 0, False, normals)
    assert stats.kstest(normals.ravel(), "norm").pvalue > 1e-3
    assert abs(stats.kurtosis(normals.ravel())) < 0.05
    # Neighbouring paths, and neighbouring numbers of a path, are unrelated.
    assert abs(np.corrcoef(normals[0], normals[1])[0, 1]) < 0.06
    assert abs(np.corrcoef(normals[:, :-1].ravel(), normals[:, 1:].ravel())[0, 1]) < 0.01


def test_antithetic_paths_mirror_each_other():
    normals = np.empty((5, 7))
    philox.fill_normals(philox.stream_key(0), 0, 3, True, normals)  # paths 3 to 7
    assert np.array_equal(normals[1], -normals[2])
    assert np.array_equal(normals[3], -normals[4])
    assert not np.array_equal(np.abs(normals[0]), np.abs(normals[1]))


def test_streams_and_keys_are_apart():
    a, b, c = (np.empty((1, 100)) for _ in range(3))
    philox.fill_normals(philox.stream_key(0), 0, 0, False, a)
    philox.fill_normals(philox.stream_key(0), 1, 0, False, b)
    philox.fill_normals(philox.stream_key(1), 0, 0, False, c)
    assert len(np.unique(np.concatenate([a, b, c]))) == 300
