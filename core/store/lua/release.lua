-- Give an item back untouched: a worker that stops. now, lane, id, token -> 1, or 0 when the lease was lost
local lane, id, token = ARGV[2], ARGV[3], ARGV[4]
if not holds(lane, id, token) then return 0 end
redis.call('HDEL', lease_key(lane), id)
redis.call('ZADD', lane_key(lane), now, id)
return 1
