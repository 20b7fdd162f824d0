"""Runs inside Kamailio: facts in, verdict out, effects done; the only room that knows SIP headers
and KSR.
"""
