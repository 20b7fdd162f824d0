"""Calls, live and past: journal in, records out, and the only hands that touch a live call."""
