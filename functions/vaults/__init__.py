"""Protection of clusters: their vaults, volumes and bindings. Why it is as it is: docs/decisions/vaults.md."""
