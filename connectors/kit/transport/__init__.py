"""How a request travels: what one attempt may take, connections and their pool, and the preview that sends nothing.

It is for `connectors.kit.http`, and for traces, which put a span around each request.
"""
