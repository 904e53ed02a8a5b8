"""What is judged and decided about trust. Why it is as it is: docs/decisions/trust.md."""
