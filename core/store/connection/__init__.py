"""The way to the server: client, pool, what the server must be like, how it fares, and what seals what is kept.

For the store's own modules, and for whoever connects or watches the server (`relay up`, doctor, metrics).
"""
