"""exp, log, sine and cosine that LLVM turns into vector instructions.

The C library's versions are called one number at a time and may differ in the
last bit from one machine to the next; these are branch-free polynomials, the
same to the bit wherever IEEE 754 holds, because no multiply-add is contracted.
Ranges are those the price processes need; accuracy is a few units in the last
place (tests compare with NumPy). Polynomials after fdlibm's e_exp.c, e_log.c,
k_sin.c and k_cos.c.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_LN2_HI = 6.93147180369123816490e-01
_LN2_LO = 1.90821492927058770002e-10
_LN2 = 6.93147180559945286227e-01
_INV_LN2 = 1.44269504088896338700
_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer
_SQRT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)
_HALF_PI = 1.57079632679489655800


@njit(inline="always", error_model="numpy")
def exp(x: float) -> float:
    """Return e**x for |x| < 700."""
    shifted = x * _INV_LN2 + _ROUND
    k = shifted - _ROUND
    exponent = np.float64(shifted).view(np.int64) << np.int64(52)
    r = (x - k * _LN2_HI) - k * _LN2_LO
    p = 1.6059043836821613e-10
    p = p * r + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.7557319223985893e-07
    p = p * r + 2.7557319223985888e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 1.984126984126984e-04
    p = p * r + 1.388888888888889e-03
    p = p * r + 8.333333333333333e-03
    p = p * r + 4.1666666666666664e-02
    p = p * r + 1.6666666666666666e-01
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return np.int64(np.float64(p).view(np.int64) + exponent).view(np.float64)


@njit(inline="always", error_model="numpy")
def log(x: float) -> float:
    """Return the natural logarithm of a normal x > 0."""
    bits = np.float64(x).view(np.int64)
    e = (bits - _SQRT_HALF_BITS) >> np.int64(52)
    m = np.int64(bits - (e << np.int64(52))).view(np.float64)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    r = 1.479819860511658591e-01
    r = r * z + 1.531383769920937332e-01
    r = r * z + 1.818357216161805012e-01
    r = r * z + 2.222219843214978396e-01
    r = r * z + 2.857142874366239149e-01
    r = r * z + 3.999999999940941908e-01
    r = r * z + 6.666666666666735130e-01
    return float(e) * _LN2 + (f - s * (f - r * z))


@njit(inline="always", error_model="numpy")
def sine_cosine(turn: float) -> tuple[float, float]:
    """Return sin and cos of 2 pi turn for turn in [0, 1)."""
    t = 4.0 * turn
    quadrant = np.floor(t + 0.5)
    r = (t - quadrant) * _HALF_PI
    z = r * r
    s = 1.58969099521155010221e-10
    s = s * z - 2.50507602534068634195e-08
    s = s * z + 2.75573137070700676789e-06
    s = s * z - 1.98412698298579493134e-04
    s = s * z + 8.33333333332248946124e-03
    s = s * z - 1.66666666666666324348e-01
    sine = r + r * z * s
    c = -1.13596475577881948265e-11
    c = c * z + 2.08757232129817482790e-09
    c = c * z - 2.75573143513906633035e-07
    c = c * z + 2.48015872894767294178e-05
    c = c * z - 1.38888888888741095749e-03
    c = c * z + 4.16666666666666019037e-02
    cosine = 1.0 - 0.5 * z + z * z * c
    k = np.int64(quadrant) & np.int64(3)
    odd = (k & np.int64(1)) == 1
    a = cosine if odd else sine
    b = sine if odd else cosine
    return (-a if k >= 2 else a), (-b if (k == 1 or k == 2) else b)
