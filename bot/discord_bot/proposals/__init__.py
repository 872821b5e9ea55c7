"""/proposals, /report and /compare."""
