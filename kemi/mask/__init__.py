"""Hides each side of a call from the other: every message is written anew from what is known to be
harmless, and nothing else of it crosses; it decides nothing about where a call goes.
"""
