"""What is judged and decided about restores. Why it is as it is: docs/decisions/restores.md."""
