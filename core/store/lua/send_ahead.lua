-- Let one delivery through a closed gate. now, connector -> {was closed, knock}
local gate = P .. 'gate:' .. ARGV[2]
if redis.call('EXISTS', gate) == 0 then return {0, 0} end
redis.call('HSET', gate, 'ahead', 1)
return {1, want_knock(ARGV[2])}
