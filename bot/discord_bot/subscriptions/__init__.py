"""/subscribe and /unsubscribe."""
