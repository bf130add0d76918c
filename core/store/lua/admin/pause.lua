-- Close the gate of a lane.
--- args: now, connector, reason, by
--- uses: time
local gate = PREFIX .. 'gate:' .. connector
redis.call('DEL', gate)
redis.call('HSET', gate, 'since', now, 'reason', reason, 'by', by)
return 1
