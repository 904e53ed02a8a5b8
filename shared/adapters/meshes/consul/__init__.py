"""Consul datacenters over HTTP. Why they are reached as they are: docs/decisions/consul.md."""
