"""Decoding of untrusted calldata, event data and descriptions.

Everything in this package may meet hostile bytes. It imports nothing of ours
and nothing heavy, so that it can run in a small worker process of its own
(`evaluator.governance.decoder` starts it) with a memory and a time limit.
Every function here is pure and also bounded in what it produces, so that the
worker's limits are a second fence, not the first.
"""
