-- Extend leases. now, lease in ms, then lane, id, token of each -> how many were still ours
local lease, held = tonumber(ARGV[2]), 0
for i = 3, #ARGV, 3 do
  if holds(ARGV[i], ARGV[i + 1], ARGV[i + 2]) then
    redis.call('ZADD', lane_key(ARGV[i]), 'XX', now + lease, ARGV[i + 1])
    held = held + 1
  end
end
return held
