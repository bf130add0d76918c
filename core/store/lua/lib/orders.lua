-- Chats that are to be fetched from Smartsupp (docs/adr/0030).
--- uses: keys
local function order_key(conversation) return PREFIX .. 'order:' .. conversation end

-- It waits in no lane any more. Whoever works on it there has lost his lease.
local function leave_lane(lane, conversation)
  redis.call('ZREM', lane_key(lane), conversation)
  redis.call('HDEL', lease_key(lane), conversation)
end

-- Nothing waits in the lane of an account that relay.yaml does not name: nothing is kept of it.
local function forget_lane(lane)
  if redis.call('EXISTS', lane_key(lane), lease_key(lane)) > 0 then return end
  redis.call('SREM', PREFIX .. 'source-lanes', lane)
  redis.call('DEL', PREFIX .. 'gate:' .. lane, PREFIX .. 'knock:' .. lane)
end

-- Nobody wants it any more, or it is done.
local function drop_order(conversation)
  local lane = redis.call('HGET', order_key(conversation), 'lane')
  if not lane then return end
  leave_lane(lane, conversation)
  redis.call('DEL', order_key(conversation))
end
