"""From PostgreSQL, the truth, to Redis, the published copy; it keeps no state and starts nothing by
itself.
"""
