"""What the contract, the loader and the conformance suite are made of; carriers' files import
contract.py only.
"""
