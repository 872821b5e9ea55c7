"""Seatrial: executes governance proposals on a fork and measures what they do to survival."""

from __future__ import annotations

__version__ = "0.1.0"
