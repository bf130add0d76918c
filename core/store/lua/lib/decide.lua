-- What an admin decides about one delivery.
--- args: now
--- uses: keys, status, attempts, counts

-- Do a delivery again: now, or at once after the attempt that is going on. Whoever asks for that waits for nothing.
local function again(id, connector)
  if redis.call('HEXISTS', lease_key(connector), id) == 1 then
    redis.call('HSET', delivery_key(id), 'again', 1)
    redis.call('HDEL', delivery_key(id), 'quiet_until', 'quiet_since')
    return false
  end
  make_due(id, connector)
  return true
end

-- Give a delivery up on purpose -> 1, 0: no such thing, or -1: it is being tried, or is settled already
local function discard(id, reason, by)
  local got = redis.call('HMGET', delivery_key(id), 'status', 'connector')
  local status, connector = got[1], got[2]
  if not status then return 0 end
  if redis.call('HEXISTS', lease_key(connector), id) == 1 then return -1 end
  if status == DeliveryStatus.DELIVERED or status == DeliveryStatus.SKIPPED or status == DeliveryStatus.DISCARDED then
    return -1
  end
  redis.call('ZREM', lane_key(connector), id)
  redis.call('HSET', delivery_key(id), 'error', reason)
  redis.call('HDEL', delivery_key(id), 'quiet_until', 'quiet_since')
  log_attempt(id, cjson.encode({
    at = now, ms = 0, outcome = Outcome.DISCARDED, revision = 0, error = reason, worker = by,
  }))
  set_delivery_status(id, DeliveryStatus.DISCARDED)
  count('out:' .. connector .. ':' .. Outcome.DISCARDED)
  return 1
end
