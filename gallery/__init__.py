"""Disasters that a governance decision made possible, rebuilt as ordinary proposals.

Beside each stand benign twins of the same calldata shape. Nothing in `evaluator`
knows of these cases: they show what an evaluation finds by itself.
"""
