"""How a PBX is asked to do something with its own legs of a call: one module for each interface."""
