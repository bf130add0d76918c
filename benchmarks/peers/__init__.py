"""The same job done by others, beside Relay and in the same rounds: `make bench-peers`.

The job: take the POST of a chat, answer 2xx, and bring a signed JSON of it to one destination. Each peer is written as
its own documentation would have it, in as few lines as it needs (`programs/`), and installed into a folder of its own
under `var/peers`, which stays for the next run.
"""
