-- Nothing was fetched: others may try. -> 1, or 0 when the lease was lost
--- args: now, connector, holder
--- uses: names
local key = PREFIX .. 'token:' .. name_now(connector)
if redis.call('HGET', key, 'holder') ~= holder then return 0 end
return redis.call('HDEL', key, 'holder', 'until')
