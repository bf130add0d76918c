-- Which lanes have something due? Asked by every worker, answered to one of them in each period.
-- What was interrupted is put first: it had its turn, and a lease's end would put it behind all that came meanwhile.
-- now, period in ms, then lanes -> lanes to knock on
if stands('tick', tonumber(ARGV[2])) then return {} end
redis.call('SET', P .. 'tick', '1', 'PX', ARGV[2])
local due, quiet = {}, unsettled()
for i = 3, #ARGV do
  local lane = ARGV[i]
  local first = tonumber(redis.call('ZRANGE', lane_key(lane), 0, 0, 'WITHSCORES')[2])
  for _, id in ipairs(not quiet and redis.call('HKEYS', lease_key(lane)) or {}) do
    local lapsed = tonumber(redis.call('ZSCORE', lane_key(lane), id))
    if lapsed and lapsed <= now and lapsed > first then redis.call('ZADD', lane_key(lane), first - 1, id) end
  end
  local gate = redis.call('HMGET', P .. 'gate:' .. lane, 'since', 'ahead', 'until')
  if (not gate[1] or opens(gate[2], gate[3]))
      and redis.call('ZRANGEBYSCORE', lane_key(lane), '-inf', now, 'LIMIT', 0, 1)[1] then
    redis.call('SET', P .. 'knock:' .. lane, '1', 'PX', KNOCK_MS)
    due[#due + 1] = lane
  end
end
return due
