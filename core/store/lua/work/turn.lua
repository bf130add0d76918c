-- Whether it is the caller's turn: one caller's in each period (ms). -> 1 or 0
--- args: what, period:number
--- uses: marks
if stands(what, period) then return 0 end
redis.call('SET', PREFIX .. what, '1', 'PX', period)
return 1
