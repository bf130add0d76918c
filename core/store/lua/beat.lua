-- A worker is alive. now, worker, trouble or ''
-- When nobody was heard for a while, it may have been the server that was away: for a moment, leases that ran out are
-- not held against anybody (claim.lua).
local quiet = not stands('steady', STEADY_MS)
redis.call('SET', P .. 'steady', '1', 'PX', STEADY_MS)
if quiet then redis.call('SET', P .. 'settling', '1', 'PX', STEADY_MS) end
redis.call('ZADD', P .. 'workers', now, ARGV[2])
-- Whoever is gone has no troubles any more.
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', P .. 'workers', '-inf', now - 60000)) do
  redis.call('ZREM', P .. 'workers', gone)
  redis.call('HDEL', P .. 'trouble', gone)
end
if ARGV[3] == '' then redis.call('HDEL', P .. 'trouble', ARGV[2]) else redis.call('HSET', P .. 'trouble', ARGV[2], ARGV[3]) end
return 1
