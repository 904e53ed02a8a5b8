"""Runs the app on one machine; never deployed. Why it is as it is: docs/decisions/simulation.md."""
