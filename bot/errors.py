"""The bot's errors.

SeatrialError
├── ConfigurationError           a setting is wrong (the evaluator's own class)
├── FollowError
│   ├── ReorgBelowFinality       the chain replaced a block it had called final
│   ├── ProviderBehind           the endpoint has not the blocks it announced
│   └── RangeTooLarge            the endpoint refuses so many blocks at once (chain_reading)
├── PoisonedLog                  a log that cannot be what its topic says
├── DeliveryError
│   ├── DeliveryUncertain        nobody knows whether the post was made: look first
│   ├── DeliveryDelayed          refused for now, certainly not made; says when to come back
│   └── DeliveryRefused          will be refused for ever
└── EvaluationFailed             the worker ended without a result
    └── EvaluationInterrupted    the worker was stopped by the bot's own shutdown
"""

from __future__ import annotations

from evaluator import ConfigurationError, SeatrialError

__all__ = [
    "ConfigurationError",
    "DeliveryDelayed",
    "DeliveryError",
    "DeliveryRefused",
    "DeliveryUncertain",
    "EvaluationFailed",
    "EvaluationInterrupted",
    "FollowError",
    "PoisonedLog",
    "ProviderBehind",
    "ReorgBelowFinality",
    "SeatrialError",
]


class FollowError(SeatrialError):
    """The chain could not be followed in this step."""


class ReorgBelowFinality(FollowError):
    """The chain replaced a block that was final; a person must look."""


class ProviderBehind(FollowError):
    """The endpoint lacks blocks that were announced; asking later helps."""


class PoisonedLog(SeatrialError):
    """A log's data cannot be what its topic says it is."""


class DeliveryError(SeatrialError):
    """A post was not delivered in this attempt."""


class DeliveryUncertain(DeliveryError):
    """The reply was lost: the post may or may not have been made."""


class DeliveryDelayed(DeliveryError):
    """The target refused for now and made nothing.

    `seconds` is how long it asked to be left alone.
    """

    def __init__(self, message: str, *, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class DeliveryRefused(DeliveryError):
    """The target will never accept this post as it is."""


class EvaluationFailed(SeatrialError):
    """The evaluation's process ended without a result.

    `permanent` tells whether trying again is pointless.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class EvaluationInterrupted(EvaluationFailed):
    """The bot stopped the evaluation because it is shutting down."""
