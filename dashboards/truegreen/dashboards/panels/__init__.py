"""The panels that one board alone has: what each asks, in which unit and why. `boards` says in which order they stand."""
