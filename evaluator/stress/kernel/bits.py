"""A set of positions as a two-level bitmap, walked in ascending order.

`word` has shape (ceil(N / 64),), `summary` one bit per word.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir  # type: ignore[import-untyped]
import numpy as np
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

from evaluator.stress.kernel.compilation import inlined

Words = NDArray[np.uint64]

ONE = np.uint64(1)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


def _count_trailing_zeros(_context: Any, _word: Any) -> Any:
    def generate(_ctx: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


# Number of the lowest bit that is set in a word that is not 0.
trailing_zeros: Any = intrinsic(_count_trailing_zeros)


def _ask_for_line(_context: Any, array: Any, _index: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = make_array(signature.args[0])(context, builder, arguments[0])  # type: ignore[no-untyped-call]
        address = builder.gep(held.data, [arguments[1]])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        prefetch = builder.module.declare_intrinsic(
            "llvm.prefetch",
            (byte,),
            ir.FunctionType(ir.VoidType(), [byte, number, number, number]),
        )
        read, near, data = (ir.Constant(number, x) for x in (0, 3, 1))
        builder.call(prefetch, [builder.bitcast(address, byte), read, near, data])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


# Start to fetch the cache line of a contiguous array's element, by its flat index, that will be
# needed soon. It changes nothing but the time that takes.
ask_for_line: Any = intrinsic(_ask_for_line)


@inlined
def insert(word: Words, summary: Words, i: int) -> None:
    """Put position i into the set."""
    word[i >> 6] |= ONE << np.uint64(i & 63)
    summary[i >> 12] |= ONE << np.uint64((i >> 6) & 63)


@inlined
def remove(word: Words, summary: Words, i: int) -> None:
    """Take position i out of the set."""
    w = word[i >> 6] & ~(ONE << np.uint64(i & 63))
    word[i >> 6] = w
    if w == np.uint64(0):
        summary[i >> 12] &= ~(ONE << np.uint64((i >> 6) & 63))


@inlined
def following(word: Words, summary: Words, i: int) -> int:
    """The least position of the set above i, or -1."""
    n = i + 1
    w = n >> 6
    if w >= len(word):
        return -1
    rest = word[w] & (ALL << np.uint64(n & 63))
    if rest != np.uint64(0):
        return int((w << 6) + trailing_zeros(rest))
    n = w + 1
    s = n >> 6
    if s >= len(summary):
        return -1
    some = summary[s] & (ALL << np.uint64(n & 63))
    while some == np.uint64(0):
        s += 1
        if s >= len(summary):
            return -1
        some = summary[s]
    w = (s << 6) + trailing_zeros(some)
    return int((w << 6) + trailing_zeros(word[w]))
