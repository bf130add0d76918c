-- Close the gate of a lane. now, connector, reason, by
open_gate(ARGV[2])
redis.call('HSET', P .. 'gate:' .. ARGV[2], 'since', now, 'reason', ARGV[3], 'by', ARGV[4])
return 1
