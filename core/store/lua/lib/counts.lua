--- args: now
--- uses: time
-- Statistics: by the minute, by the hour, and since ever. Fields are in keys.py.
local function count(field)
  local minute = PREFIX .. 'count:minute:' .. math.floor(now / 60000)
  if redis.call('HINCRBY', minute, field, 1) == 1 then redis.call('PEXPIRE', minute, MINUTE_KEPT_MS) end
  local hour = PREFIX .. 'count:hour:' .. math.floor(now / 3600000)
  if redis.call('HINCRBY', hour, field, 1) == 1 then redis.call('PEXPIRE', hour, HOUR_KEPT_MS) end
  redis.call('HINCRBY', PREFIX .. 'totals', field, 1)
end
