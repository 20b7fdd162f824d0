"""A call people ask about: what would be decided, and what really happens; no routing here."""
