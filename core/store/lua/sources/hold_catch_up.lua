-- One process at a time works on catch-ups: it takes the lease or keeps it, or lets go of it. -> 1, or 0: another one has
-- it
--- args: token, keep:flag
local key = PREFIX .. 'catching-up'
local holder = redis.call('GET', key)
if holder and holder ~= token then return 0 end
if keep then redis.call('SET', key, token, 'PX', CATCH_UP_LEASE_MS) else redis.call('DEL', key) end
return 1
