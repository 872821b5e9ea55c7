"""Discord as a side of the bot: the client, its commands, and what is published there."""
