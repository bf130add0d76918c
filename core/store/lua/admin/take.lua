-- Take from a token bucket that all processes share; `rate` is what flows in each second. A refusal writes nothing.
-- `counted`: what is taken is counted among the totals under that, unless it is ''.
-- -> 0, or the milliseconds until it can be had
--- args: now, bucket, capacity:number, rate:number, cost:number, counted
--- uses: time
local key = PREFIX .. 'bucket:' .. bucket
local got = redis.call('HMGET', key, 'tokens', 'at')
local tokens = capacity
-- A clock that was set back only means that nothing is refilled this time.
if got[1] then tokens = math.min(capacity, tonumber(got[1]) + math.max(0, now - tonumber(got[2])) * rate / 1000) end
if tokens < cost then return math.ceil((cost - tokens) * 1000 / rate) end
tokens = tokens - cost
if counted ~= '' then redis.call('HINCRBY', PREFIX .. 'totals', counted, 1) end
redis.call('HSET', key, 'tokens', string.format('%.6f', tokens), 'at', string.format('%.0f', now))
-- Gone as soon as it would be full again, which is what a missing one is.
redis.call('PEXPIRE', key, math.ceil((capacity - tokens) * 1000 / rate) + 1000)
return 0
