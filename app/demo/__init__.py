"""A shop that does not exist, and a Smartsupp for it: what `relay demo` shows, and what tests talk to.

`shop` makes chats up, the same ones each time; `smartsupp` is a small server that has them, and obeys Smartsupp's
document of its API. Nothing else in `app` may need it but the command line.
"""
