-- Close the gate of a lane. now, connector, reason, by
local gate = P .. 'gate:' .. ARGV[2]
redis.call('DEL', gate)
redis.call('HSET', gate, 'since', now, 'reason', ARGV[3], 'by', ARGV[4])
return 1
