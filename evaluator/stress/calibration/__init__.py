"""Parameters of price processes from past prices, or from stated priors."""
