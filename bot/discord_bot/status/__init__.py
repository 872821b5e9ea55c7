"""/status and /help."""
