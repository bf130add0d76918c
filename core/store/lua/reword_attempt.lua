-- The same of an attempt in a delivery's history. now, delivery, the attempt as it is kept, and as it is to be -> 1 or 0
local key = P .. 'attempts:' .. ARGV[2]
local at = redis.call('LPOS', key, ARGV[3])
if not at then return 0 end
redis.call('LSET', key, at, ARGV[4])
return 1
