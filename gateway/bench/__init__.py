"""Measures what Portgate costs, on private processes; it never touches a running stack."""
