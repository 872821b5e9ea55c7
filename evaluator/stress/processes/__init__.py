"""Price processes: laws of joint market prices over a horizon."""
