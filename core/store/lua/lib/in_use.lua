--- args: now
--- uses: time, keys, marks
-- Whether somebody is at it, as far as can be known: a lease that ran out is nobody's, unless it was the server that
-- was away.
local function worked_on(lane, id)
  if redis.call('HEXISTS', lease_key(lane), id) == 0 then return false end
  if stands('settling', STEADY_MS) then return true end
  return tonumber(redis.call('ZSCORE', lane_key(lane), id) or 0) > now
end
