-- A payload, or a delivery, comes to a status, and to its place in that status' list.
--- args: now
--- uses: time, keys, causes
local function set_payload_status(id, status)
  local key = payload_key(id)
  local old = redis.call('HGET', key, 'status')
  if old then redis.call('ZREM', PREFIX .. 'payloads:' .. old, id) end
  redis.call('HSET', key, 'status', status)
  redis.call('ZADD', PREFIX .. 'payloads:' .. status, redis.call('HGET', key, 'received'), id)
end

local function set_delivery_status(id, status)
  local key = delivery_key(id)
  local got = redis.call('HMGET', key, 'status', 'connector')
  if got[1] then redis.call('ZREM', PREFIX .. 'deliveries:' .. got[2] .. ':' .. got[1], id) end
  if got[1] == DeliveryStatus.DEAD then forget_cause(id, got[2]) end
  redis.call('HSET', key, 'status', status, 'updated', now)
  redis.call('ZADD', PREFIX .. 'deliveries:' .. got[2] .. ':' .. status, now, id)
end

-- Of processes that died on an item only the suspicion stays: whoever replays it, or sends a newer revision, may have
-- sent the same again, and the next try harms no other.
local function start_anew(key, ...)
  local crashes = tonumber(redis.call('HGET', key, 'crashes') or 0)
  redis.call('HDEL', key, 'error', 'crashes', 'alone', ...)
  if crashes >= SUSPECT then redis.call('HSET', key, 'crashes', SUSPECT) end
end

-- Due with a fresh series of tries: now, or when its chat has been quiet for long enough (lib/quiet.lua).
-- -> whether that is now
local function make_due(id, connector, quiet_until, quiet_since)
  start_anew(delivery_key(id), 'tries', 'waited', 'again', 'quiet_until', 'quiet_since')
  set_delivery_status(id, DeliveryStatus.WAITING)
  local waits = quiet_until and quiet_until > now
  if waits then redis.call('HSET', delivery_key(id), 'quiet_until', quiet_until, 'quiet_since', quiet_since) end
  redis.call('ZADD', lane_key(connector), waits and quiet_until or now, id)
  return not waits
end
