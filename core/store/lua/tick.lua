-- Which lanes have something due? Asked by every worker, answered to one of them in each period.
-- now, period in ms, then lanes -> lanes to knock on
if stands('tick', tonumber(ARGV[2])) then return {} end
redis.call('SET', P .. 'tick', '1', 'PX', ARGV[2])
local due = {}
for i = 3, #ARGV do
  local lane = ARGV[i]
  local gate = redis.call('HMGET', P .. 'gate:' .. lane, 'since', 'ahead', 'until')
  if (not gate[1] or opens(gate[2], gate[3]))
      and redis.call('ZRANGEBYSCORE', lane_key(lane), '-inf', now, 'LIMIT', 0, 1)[1] then
    redis.call('SET', P .. 'knock:' .. lane, '1', 'PX', KNOCK_MS)
    due[#due + 1] = lane
  end
end
return due
