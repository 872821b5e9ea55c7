"""An example of a Seatrial plugin."""
