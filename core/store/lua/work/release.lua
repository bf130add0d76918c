-- Give an item back untouched: a worker that stops. -> 1, or 0 when the lease was lost
--- args: now, lane, id, token
--- uses: time, keys, lease
if not holds(lane, id, token) then return 0 end
redis.call('HDEL', lease_key(lane), id)
redis.call('ZADD', lane_key(lane), now, id)
return 1
