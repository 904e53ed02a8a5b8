"""Protection of clusters: their vaults, data sources and bindings. Why it is as it is: docs/decisions/vaults.md."""
