"""The bot: follows governors, has proposals evaluated, publishes the reports.

Imports from the evaluator only what `evaluator` itself exports.
"""
