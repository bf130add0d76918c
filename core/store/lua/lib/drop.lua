--- uses: keys
-- Everything about one body.
local function drop_payload(id)
  local got = redis.call('HMGET', payload_key(id), 'status', 'digest')
  if got[1] then redis.call('ZREM', PREFIX .. 'payloads:' .. got[1], id) end
  if got[2] and redis.call('GET', PREFIX .. 'body:' .. got[2]) == id then
    redis.call('DEL', PREFIX .. 'body:' .. got[2])
  end
  redis.call('ZREM', lane_key(INBOX), id)
  redis.call('HDEL', lease_key(INBOX), id)
  return redis.call('DEL', payload_key(id), PREFIX .. 'raw:' .. id) > 0
end
