"""Meshes in their clusters. Why their trust is rotated as it is: docs/decisions/trust.md."""
