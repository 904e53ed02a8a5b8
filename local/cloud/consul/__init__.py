"""Simulated Consul datacenters. Why they are as they are: docs/decisions/consul.md."""
