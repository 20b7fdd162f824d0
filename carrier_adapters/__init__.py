"""How each carrier speaks: one file per carrier, read by contract.py's base class and found by
loader.py.
"""
