"""The battery compiled: a dense loop, and a loop that proves most positions safe.

Both give what `evaluator.stress.reference` gives, to 1e-9; see `dense` and
`certificate` for how. Compiled code releases the GIL, so that blocks of paths
run on threads.
"""
