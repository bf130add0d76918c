-- Orders go on in the lane of another account of relay.yaml, each with its time; those that are worked on stay for now.
-- `account`: only chats of that number of Smartsupp's; '': all. -> {how many were moved, wake up}
--- args: now, old, new, account, most:number
--- uses: time, keys, marks, in_use, orders
local function move(id)
  if redis.call('HGET', order_key(id), 'lane') == old then
    if worked_on(old, id) then return false end
    local due, token = redis.call('ZSCORE', lane_key(old), id), redis.call('HGET', lease_key(old), id)
    -- An admin who hands all of them over means it, whosever they are.
    redis.call('HSET', order_key(id), 'lane', new, unpack(account == '' and {'handed', 1} or {}))
    redis.call('ZADD', lane_key(new), due, id)
    -- One that ran out: the next claim counts it.
    if token then redis.call('HSET', lease_key(new), id, token) end
    redis.call('SADD', PREFIX .. 'source-lanes', new)
  end
  leave_lane(old, id)
  return true
end

local moved, at = 0, 0
while moved < most do
  local ids = redis.call('ZRANGE', lane_key(old), at, at + most - 1)
  if #ids == 0 then break end
  for _, id in ipairs(ids) do
    local wanted = account == '' or string.match(id, '^[^:]*') == account
    if moved < most and wanted and move(id) then moved = moved + 1 else at = at + 1 end
  end
end
forget_lane(old)
local due = moved > 0 and redis.call('ZCOUNT', lane_key(new), '-inf', now) > 0
return {moved, due and want_wake_up(new) or 0}
