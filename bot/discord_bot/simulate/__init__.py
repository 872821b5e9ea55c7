"""/simulate: the command, the message that shows its progress, the buttons of its result."""
