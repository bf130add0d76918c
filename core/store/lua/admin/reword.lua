-- Other words for why a lane is paused ('gate'), or a body ('payload') or a delivery ('delivery') discarded, or for the
-- hash of the password ('admin'), if that is still so -> 1 or 0
--- args: what, name, words, others
local fields = {gate = 'reason', admin = 'password'}
local key, field = PREFIX .. what .. (name ~= '' and ':' .. name or ''), fields[what] or 'error'
if redis.call('HGET', key, field) ~= words then return 0 end
redis.call('HSET', key, field, others)
return 1
