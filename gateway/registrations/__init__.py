"""Registers us with the carriers that want it, through Kamailio, and tells how it stands."""
