-- Give back whatever is leased under a token: the reply to a claim was lost, and nobody knows what it held. -> how many
--- args: now, lane, token
--- uses: time, keys
local found = 0
local leases = redis.call('HGETALL', lease_key(lane))
for i = 1, #leases, 2 do
  if leases[i + 1] == token then
    redis.call('HDEL', lease_key(lane), leases[i])
    redis.call('ZADD', lane_key(lane), now, leases[i])
    found = found + 1
  end
end
return found
