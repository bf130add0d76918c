-- Remember what a step of a delivery made. now, connector, id, token, step, value as JSON -> 1, or 0: lease lost
local connector, id, token, step, value = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if not holds(connector, id, token) then return 0 end
redis.call('HSET', P .. 'steps:' .. id, step, value)
return 1
