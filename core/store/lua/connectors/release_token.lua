-- Nothing was fetched: others may try. -> 1, or 0 when the lease was lost
--- args: connector, holder
local key = PREFIX .. 'token:' .. connector
if redis.call('HGET', key, 'holder') ~= holder then return 0 end
return redis.call('HDEL', key, 'holder', 'until')
