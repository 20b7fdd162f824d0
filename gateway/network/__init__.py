"""Carriers' hand-offs as addresses, routes and rules: pure plan, thin apply; it knows no call."""
