"""Smartsupp's REST API, the second source: what to ask for, what the answers mean, and how they are kept.

Nothing here sends anything: `SmartsuppApi` is given a function that does (workers/source), because requests belong to
the kit and its guard of addresses. Whoever fetches chats uses the client; of the rest only `as_body` is for others.
"""
