"""How a connector proves who it is: a key in a header, Basic, or OAuth 2 with tokens that all workers share.

A vendor declares which; signing, fetching, renewing and keeping are done here. It imports core and the kit's HTTP.
"""
