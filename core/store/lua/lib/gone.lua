-- When conversations began that were removed, so that nobody fetches them from Smartsupp again (docs/adr/0029). Of what
-- somebody had erased for as long as the store lives; of what retention removed, for as long as catch-ups look back.
--- args: now, conversation, settled:number?
--- uses: keys, twins
local function note_removal()
  local began = redis.call('ZSCORE', begun_key(conversation), conversation)
  if not began then return end
  local account = string.match(conversation, '^[^:]*')
  if not settled then redis.call('ZADD', PREFIX .. 'erased:' .. account, began, began) end
  local removed = PREFIX .. 'removed:' .. account
  if tonumber(began) > now - REMOVED_KEPT_MS then redis.call('ZADD', removed, began, began) end
  redis.call('ZREMRANGEBYSCORE', removed, '-inf', now - REMOVED_KEPT_MS)
end
