-- A fetch has ended. `ended`: the order is done; it is tried again after `delay` ms, for a reason of its own, or as it came
-- too early; or the API is down, or refuses the credentials: then all orders of the lane wait, and none has lost a try.
-- -> 1, or 0 when the lease was lost
--- args: now, lane, id, token, ended, delay:number, reason
--- uses: time, keys, lease, orders
if not holds(lane, id, token) then return 0 end
redis.call('HINCRBY', PREFIX .. 'totals', 'fetch:' .. string.match(lane, '%.(.+)$') .. ':' .. ended, 1)
local key, gate = order_key(id), PREFIX .. 'gate:' .. lane
redis.call('HDEL', lease_key(lane), id)
local again = redis.call('HGET', key, 'again')
redis.call('HDEL', key, 'again')
if ended == Ended.DOWN or ended == Ended.REFUSED then
  redis.call('HSETNX', gate, 'since', now)
  local probes = redis.call('HINCRBY', gate, 'probes', 1)
  local opens = now + math.min(LONGEST_PROBE_MS, math.max(delay, FIRST_PROBE_MS * 2 ^ (probes - 1)))
  redis.call('HSET', gate, 'by', ended == Ended.DOWN and Closer.BREAKER or Closer.RELAY, 'reason', reason, 'until', opens)
  -- Behind what is due by then: it may be the only one that meets this, and would keep all others waiting for ever.
  redis.call('ZADD', lane_key(lane), math.max(opens, tonumber(again or 0)), id)
  return 1
end
redis.call('DEL', gate)
if ended == Ended.LATER then
  redis.call('HINCRBY', key, 'tries', 1)
  redis.call('HSET', key, 'error', reason)
  redis.call('ZADD', lane_key(lane), again or now + delay, id)
elseif ended == Ended.EARLY then
  redis.call('HINCRBY', key, 'looks', 1)
  redis.call('HDEL', key, 'error')
  redis.call('ZADD', lane_key(lane), again or now + delay, id)
elseif again then
  redis.call('HDEL', key, 'tries', 'error', 'crashes', 'looks')
  redis.call('HSET', key, 'asked', now)
  redis.call('ZADD', lane_key(lane), again, id)
else
  drop_order(id)
end
return 1
