"""Azure Backup. Why it is used as it is: docs/decisions/vaults.md and docs/decisions/restores.md."""
