-- Chats that are to be fetched in a lane are not to be fetched any more; also those that somebody is fetching now, who
-- keeps nothing then. -> {how many were looked at, how many that were}
--- args: lane, most:number
--- uses: keys, orders
local ids = most > 0 and redis.call('ZRANGE', lane_key(lane), 0, most - 1) or {}
local dropped = 0
for _, id in ipairs(ids) do
  if redis.call('HGET', order_key(id), 'lane') == lane then
    drop_order(id)
    dropped = dropped + 1
  else
    leave_lane(lane, id)
  end
end
forget_lane(lane)
return {#ids, dropped}
