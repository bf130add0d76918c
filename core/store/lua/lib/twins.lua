-- One conversation that came in two ways has two ids (docs/adr/0030).
--- uses: keys
local function begun_key(conversation) return PREFIX .. 'begun:' .. string.match(conversation, '^[^:]*') end

-- Forget when it began, and its other ids.
local function drop_twins(conversation)
  redis.call('ZREM', begun_key(conversation), conversation)
  local others = PREFIX .. 'other-ids:' .. conversation
  for _, other in ipairs(redis.call('SMEMBERS', others)) do redis.call('DEL', PREFIX .. 'other-id:' .. other) end
  redis.call('DEL', others)
end
