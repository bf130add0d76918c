-- The same of an attempt in a delivery's history: as it is kept, and as it is to be -> 1 or 0
--- args: delivery, kept, wanted
local key = PREFIX .. 'attempts:' .. delivery
local at = redis.call('LPOS', key, kept)
if not at then return 0 end
redis.call('LSET', key, at, wanted)
return 1
