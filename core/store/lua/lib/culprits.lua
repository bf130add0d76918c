-- Whose refusal closed a gate goes last when it opens: where it was to blame, the others get past it.
--- args: now
--- uses: time, keys
local function put_last(connector, caused)
  for _, id in ipairs(cjson.decode(caused or '[]')) do
    if redis.call('HEXISTS', lease_key(connector), id) == 0 then
      redis.call('ZADD', lane_key(connector), 'XX', now, id)
    end
  end
end
