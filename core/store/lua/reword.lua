-- Reword why a lane is paused, if it still is, and for that. now, connector, reason, other words -> 1 or 0
local gate = P .. 'gate:' .. ARGV[2]
if redis.call('HGET', gate, 'reason') ~= ARGV[3] then return 0 end
redis.call('HSET', gate, 'reason', ARGV[4])
return 1
