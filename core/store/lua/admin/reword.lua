-- Other words for why a lane is paused ('gate'), or a body ('payload') or a delivery ('delivery') discarded, if that is
-- still so -> 1 or 0
--- args: what, name, words, others
local key, field = PREFIX .. what .. ':' .. name, what == 'gate' and 'reason' or 'error'
if redis.call('HGET', key, field) ~= words then return 0 end
redis.call('HSET', key, field, others)
return 1
