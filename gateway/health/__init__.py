"""Knows which gateways of carriers and PBXs answer, by asking each with OPTIONS."""
