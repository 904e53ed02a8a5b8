"""What runs the flows: steps, runbooks, triggers. Why it is as it is: docs/decisions/engine.md."""
