"""Mirrors the tree. Why it is tested as it is: docs/decisions/tests.md."""
