-- Chats that are to be fetched from Smartsupp (docs/adr/0030).
--- uses: keys
local function order_key(conversation) return PREFIX .. 'order:' .. conversation end

-- Nobody wants it any more, or it is done.
local function drop_order(conversation)
  local lane = redis.call('HGET', order_key(conversation), 'lane')
  if not lane then return end
  redis.call('ZREM', lane_key(lane), conversation)
  redis.call('HDEL', lease_key(lane), conversation)
  redis.call('DEL', order_key(conversation))
end
