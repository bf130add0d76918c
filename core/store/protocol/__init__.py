"""What Python and Lua agree on: keys, constants, ids, scripts with named arguments, and the records that both read.

For the store's own modules and its tests; others take what they need from `core.store`.
"""
