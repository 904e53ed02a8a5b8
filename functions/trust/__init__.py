"""Trust of a mesh: rotations of its root, renewals of its issuers. Why it is as it is: docs/decisions/trust.md."""
