-- Give a conversation to connectors once more, by the routes of today; with `repeated` also to those that have it
-- -> {deliveries that are due now, lanes to knock on}
--- args: now, conversation, why, repeated:flag, connectors...
--- uses: regive
local knocks = {}
return {give_to(conversation, why, repeated, connectors, knocks), knocks}
