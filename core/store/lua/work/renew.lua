-- Extend leases: lane, id and token of each. -> how many were still ours
--- args: now, lanes..., ids..., tokens...
--- uses: time, keys, lease
local held = 0
for i, lane in ipairs(lanes) do
  if holds(lane, ids[i], tokens[i]) then
    redis.call('ZADD', lane_key(lane), 'XX', now + LEASE_MS, ids[i])
    held = held + 1
  end
end
return held
