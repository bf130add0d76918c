-- Close the gate of a lane.
--- args: now, connector, reason, by
--- uses: time, gates
local gate = PREFIX .. 'gate:' .. connector
if redis.call('HGET', gate, 'by') ~= by then note_gate(connector, by) end
redis.call('DEL', gate)
redis.call('HSET', gate, 'since', now, 'reason', reason, 'by', by)
return 1
