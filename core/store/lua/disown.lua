-- Give back whatever is leased under a token: the reply to a claim was lost, and nobody knows what it held.
-- now, lane, token -> how many
local found = 0
local leases = redis.call('HGETALL', lease_key(ARGV[2]))
for i = 1, #leases, 2 do
  if leases[i + 1] == ARGV[3] then
    redis.call('HDEL', lease_key(ARGV[2]), leases[i])
    redis.call('ZADD', lane_key(ARGV[2]), now, leases[i])
    found = found + 1
  end
end
return found
