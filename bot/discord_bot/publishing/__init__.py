"""Posts in channels: what is said, and how it gets there exactly once."""
