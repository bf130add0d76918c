"""Finding what is kept: conversations by filters and words, and everything that names one visitor.

For the store's own modules; others take `Filter` and `Search` from `core.store`.
"""
