"""Run a Functions app on this machine: see `host.FunctionsHost`."""
