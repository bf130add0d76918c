-- Remember what a step of a delivery made, as JSON. -> 1, or 0 when the lease was lost
--- args: connector, id, token, step, value
--- uses: lease
if not holds(connector, id, token) then return 0 end
redis.call('HSET', PREFIX .. 'steps:' .. id, step, value)
return 1
