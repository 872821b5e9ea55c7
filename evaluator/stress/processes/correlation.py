"""Correlation matrices and correlated normals, the same to the bit on every machine."""

from __future__ import annotations

import numpy as np
from numba import njit

from evaluator.errors import ConfigurationError
from evaluator.stress.processes.process import FloatArray


def cholesky(correlation: FloatArray) -> FloatArray:
    """Return the lower Cholesky factor of a correlation matrix.

    Not LAPACK's, whose last bits depend on the processor: paths must be the
    same everywhere. Raises ConfigurationError unless the matrix is symmetric
    and positive semidefinite with a unit diagonal.
    """
    given = np.asarray(correlation, dtype=np.float64)
    square = given.ndim == 2 and given.shape[0] == given.shape[1]
    if not square or not np.allclose(given, given.T) or not np.allclose(np.diag(given), 1.0):
        raise ConfigurationError(
            "a correlation matrix must be square and symmetric with ones on its diagonal"
        )
    lower = np.zeros_like(given)
    if not _factorise(given, lower):
        raise ConfigurationError(
            "the correlation matrix is not positive semidefinite; "
            "no set of prices can move together so"
        )
    return lower


def nearest_correlation(matrix: FloatArray) -> FloatArray:
    """Return a correlation matrix near a symmetric one that need not be positive.

    Negative eigenvalues are raised to a small positive number and the diagonal
    restored (Rebonato and Jäckel 1999); entries are rounded to 1e-8, far below
    their standard errors, so that they do not carry a machine's last bits.
    """
    if not matrix.size:
        return np.zeros((0, 0))
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    if values[0] < 1e-6:
        matrix = (vectors * np.maximum(values, 1e-6)) @ vectors.T
    scale = np.sqrt(np.diag(matrix))
    rounded = np.round(matrix / np.outer(scale, scale), 8)
    rounded = 0.5 * (rounded + rounded.T)
    np.fill_diagonal(rounded, 1.0)
    return np.asarray(rounded)


@njit(nogil=True, cache=True, error_model="numpy")
def _factorise(matrix: FloatArray, lower: FloatArray) -> bool:
    for i in range(matrix.shape[0]):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= lower[i, k] * lower[j, k]
            if i == j:
                if rest < -1e-9:
                    return False
                lower[i, i] = np.sqrt(max(rest, 0.0))
            elif lower[j, j] > 1e-7:
                lower[i, j] = rest / lower[j, j]
            elif abs(rest) > 1e-6:
                return False
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def correlate(block: FloatArray, first_row: int, lower: FloatArray) -> None:
    """Turn independent normals of F rows from `first_row` into correlated ones, in place.

    `block` has shape (paths, rows, steps), `lower` (F, F).
    """
    paths, _, steps = block.shape
    for r in range(paths):
        # From the last factor up: a row only needs the rows above it unchanged.
        for f in range(lower.shape[0] - 1, -1, -1):
            row = block[r, first_row + f]
            own = lower[f, f]
            for s in range(steps):
                row[s] *= own
            for g in range(f):
                weight = lower[f, g]
                if weight != 0.0:
                    other = block[r, first_row + g]
                    for s in range(steps):
                        row[s] += weight * other[s]


@njit(nogil=True, cache=True, error_model="numpy")
def scale_increments(block: FloatArray, deviation: FloatArray, growth: FloatArray) -> None:
    """Turn standardised factors into log increments, in place.

    The first F rows of `block`, shape (paths, rows, steps), become
    deviation x - deviation^2/2 + growth; `deviation` (F, steps), `growth` (F,)
    per step.
    """
    paths, _, steps = block.shape
    for r in range(paths):
        for f in range(deviation.shape[0]):
            row = block[r, f]
            for s in range(steps):
                sd = deviation[f, s]
                row[s] = sd * row[s] - 0.5 * sd * sd + growth[f]
