"""What is true: numbers, who rents them out, who answers them; the core here is pure and imports
nothing but the standard library.
"""
