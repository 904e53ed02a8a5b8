"""API servers of clusters. Why they are reached as they are: docs/decisions/clusters.md."""
