-- A worker is alive; what it has against the configuration, or ''.
-- When nobody was heard for a while, it may have been the server that was away: for a moment, leases that ran out are
-- not held against anybody (lib/claim.lua).
--- args: now, worker, trouble
--- uses: time, marks, epoch
epoch() -- before anything comes of which this server process would not know whether it was there before
local quiet = not stands('steady', STEADY_MS)
redis.call('SET', PREFIX .. 'steady', '1', 'PX', STEADY_MS)
if quiet then redis.call('SET', PREFIX .. 'settling', '1', 'PX', STEADY_MS) end
redis.call('ZADD', PREFIX .. 'workers', now, worker)
-- Whoever is gone has no troubles any more.
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', PREFIX .. 'workers', '-inf', now - WORKER_GONE_MS)) do
  redis.call('ZREM', PREFIX .. 'workers', gone)
  redis.call('HDEL', PREFIX .. 'trouble', gone)
end
if trouble == '' then
  redis.call('HDEL', PREFIX .. 'trouble', worker)
else
  redis.call('HSET', PREFIX .. 'trouble', worker, trouble)
end
return 1
