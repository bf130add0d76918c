-- Lease the order of a source that is longest due. One on which processes died waits longer and longer.
-- How: as in lib/claim.lua.
-- -> {}, or {conversation, more, fields}
--- args: now, lane, token, how
--- uses: time, keys, marks, lease, gate, orders
local function idle()
  if how == How.STAY then want_wake_up(lane) else redis.call('DEL', PREFIX .. 'knock:' .. lane) end
  return {}
end
local closed = redis.call('HMGET', PREFIX .. 'gate:' .. lane, 'since', 'ahead', 'until')
local opened = closed[1] and opens(closed[2], closed[3])
if closed[1] and not opened then return {} end
if how == How.ANSWER then redis.call('DEL', PREFIX .. 'knock:' .. lane) end
while true do
  local due = redis.call('ZRANGEBYSCORE', lane_key(lane), '-inf', now, 'LIMIT', 0, 2)
  local id = due[1]
  if not id then return idle() end
  local key = order_key(id)
  local leased = redis.call('HEXISTS', lease_key(lane), id) == 1
  if redis.call('HGET', key, 'lane') ~= lane then  -- done, erased, or in another lane by now
    leave_lane(lane, id)
  elseif leased and unsettled() then
    redis.call('ZADD', lane_key(lane), now + SETTLING_MS, id)
  else
    local crashes = leased and redis.call('HINCRBY', key, 'crashes', 1) or 0
    if crashes >= SUSPECT then
      redis.call('HDEL', lease_key(lane), id)
      redis.call('ZADD', lane_key(lane), now + math.min(LONGEST_CRASH_WAIT_MS, FIRST_CRASH_WAIT_MS * 2 ^ crashes), id)
    else
      -- One goes ahead, to see whether the API answers again; should it never come back, another one goes.
      if opened then
        redis.call('HDEL', PREFIX .. 'gate:' .. lane, 'ahead')
        redis.call('HSET', PREFIX .. 'gate:' .. lane, 'until', now + PROBE_MS)
      end
      redis.call('HSET', lease_key(lane), id, token)
      redis.call('ZADD', lane_key(lane), now + LEASE_MS, id)
      return {id, due[2] and not opened and want_wake_up(lane) or 0, redis.call('HGETALL', key)}
    end
  end
end
