-- Forget what a step of a delivery made: it died at the destination. -> 1, or 0 when the lease was lost
--- args: connector, id, token, step
--- uses: lease
if not holds(connector, id, token) then return 0 end
redis.call('HDEL', PREFIX .. 'steps:' .. id, step)
return 1
