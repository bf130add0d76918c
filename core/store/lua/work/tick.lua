-- Which lanes have something due? Asked by every worker, answered to one of them in each period (ms).
-- What was interrupted is put first: it had its turn, and a lease's end would put it behind all that came meanwhile.
-- -> lanes to wake
--- args: now, period:number, lanes...
--- uses: time, keys, marks, lease, gate
if stands('tick', period) then return {} end
redis.call('SET', PREFIX .. 'tick', '1', 'PX', period)
local due, quiet = {}, unsettled()
for _, lane in ipairs(lanes) do
  local first = tonumber(redis.call('ZRANGE', lane_key(lane), 0, 0, 'WITHSCORES')[2])
  for _, id in ipairs(not quiet and redis.call('HKEYS', lease_key(lane)) or {}) do
    local lapsed = tonumber(redis.call('ZSCORE', lane_key(lane), id))
    if lapsed and lapsed <= now and lapsed > first then redis.call('ZADD', lane_key(lane), first - 1, id) end
  end
  local gate = redis.call('HMGET', PREFIX .. 'gate:' .. lane, 'since', 'ahead', 'until')
  if (not gate[1] or opens(gate[2], gate[3]))
      and redis.call('ZRANGEBYSCORE', lane_key(lane), '-inf', now, 'LIMIT', 0, 1)[1] then
    redis.call('SET', PREFIX .. 'knock:' .. lane, '1', 'PX', WAKE_UP_MS)
    due[#due + 1] = lane
  end
end
return due
