-- Let one delivery through a closed gate -> {was closed, wake up}
--- args: connector
--- uses: marks
local gate = PREFIX .. 'gate:' .. connector
if redis.call('EXISTS', gate) == 0 then return {0, 0} end
redis.call('HSET', gate, 'ahead', 1)
return {1, want_wake_up(connector)}
