"""Where chats come from, beside the hook: Smartsupp's API is asked here, through the kit's guarded transport.

`api` opens the client of one account. What a worker, a command or a page does with it stands in the other modules.
"""
