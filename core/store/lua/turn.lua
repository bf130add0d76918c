-- Whether it is the caller's turn: one caller's in each period. now, what, period in ms -> 1 or 0
local period = tonumber(ARGV[3])
if stands(ARGV[2], period) then return 0 end
redis.call('SET', P .. ARGV[2], '1', 'PX', period)
return 1
