-- One process at a time works on catch-ups: it takes the lease, or keeps it. -> 1, or 0: another one has it
--- args: token
local key = PREFIX .. 'catching-up'
local holder = redis.call('GET', key)
if holder and holder ~= token then return 0 end
redis.call('SET', key, token, 'PX', CATCH_UP_LEASE_MS)
return 1
