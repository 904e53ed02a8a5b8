"""What is judged and decided about vaults. Why it is as it is: docs/decisions/vaults.md."""
