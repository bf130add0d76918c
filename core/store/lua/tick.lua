-- Which lanes have something due? Asked by every worker, answered to one of them in each period.
-- now, period in ms, then lanes -> lanes to knock on
if not redis.call('SET', P .. 'tick', '1', 'NX', 'PX', ARGV[2]) then return {} end
local due = {}
for i = 3, #ARGV do
  local lane = ARGV[i]
  if (redis.call('EXISTS', P .. 'gate:' .. lane) == 0 or may_go_ahead(lane))
      and redis.call('ZRANGEBYSCORE', lane_key(lane), '-inf', now, 'LIMIT', 0, 1)[1] then
    redis.call('SET', P .. 'knock:' .. lane, '1', 'PX', KNOCK_MS)
    due[#due + 1] = lane
  end
end
return due
