"""Verification of backups by restoring them. Why it is as it is: docs/decisions/restores.md."""
