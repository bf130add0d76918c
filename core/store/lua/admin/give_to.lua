-- Give a conversation to connectors once more, by the routes of today; with `repeated` also to those that have it
-- -> {deliveries that are due now, lanes to wake}
--- args: now, conversation, why, repeated:flag, connectors...
--- uses: regive
local woken = {}
return {give_to(conversation, why, repeated, connectors, woken), woken}
