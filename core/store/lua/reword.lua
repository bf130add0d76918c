-- Other words for why a lane is paused, or a body or a delivery discarded, if that is still so.
-- now, 'gate', 'payload' or 'delivery', its name or id, the words, the others -> 1 or 0
local key, field = P .. ARGV[2] .. ':' .. ARGV[3], ARGV[2] == 'gate' and 'reason' or 'error'
if redis.call('HGET', key, field) ~= ARGV[4] then return 0 end
redis.call('HSET', key, field, ARGV[5])
return 1
