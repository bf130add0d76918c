-- Where a conversation goes; and one that goes nowhere, which nobody may lose sight of (`undelivered`).
--- args: now
--- uses: keys, ids, status

-- A connector has it from now on, and its delivery is due. `late`: what it was given before may be forgotten.
-- -> whether it is due now, and need not wait for the chat to be quiet
local function give(name, conversation, late, quiet_until, quiet_since)
  local id = delivery_id(name, conversation)
  redis.call('SADD', PREFIX .. 'deliveries-of:' .. conversation, name)
  redis.call('SADD', PREFIX .. 'connectors', name)
  redis.call('HSET', delivery_key(id), 'connector', name, 'conversation', conversation, 'created', now,
    'status', DeliveryStatus.WAITING, 'updated', now, unpack(late and {'late', 1} or {}))
  if quiet_until then redis.call('HSET', delivery_key(id), 'quiet_until', quiet_until, 'quiet_since', quiet_since) end
  redis.call('ZADD', PREFIX .. 'deliveries:' .. name .. ':' .. DeliveryStatus.WAITING, now, id)
  redis.call('ZADD', lane_key(name), quiet_until or now, id)
  return not quiet_until
end

-- Some connector has it: so have its revisions that went nowhere before.
local function placed(conversation)
  if redis.call('ZREM', PREFIX .. 'undelivered', conversation) == 0 then return end
  for _, id in ipairs(redis.call('ZRANGE', PREFIX .. 'revisions:' .. conversation, 0, -1)) do
    local unrouted = redis.call('HGET', payload_key(id), 'status') == PayloadStatus.UNROUTED
    if unrouted then set_payload_status(id, PayloadStatus.ROUTED) end
  end
end

-- Whether no connector has it, and nobody wanted that. A newest revision that waits to be read, or could not be read, is
-- in a list of its own.
local function undelivered(conversation)
  if redis.call('EXISTS', PREFIX .. 'deliveries-of:' .. conversation) == 1 then return false end
  local newest = redis.call('ZREVRANGE', PREFIX .. 'revisions:' .. conversation, 0, 0)[1]
  if not newest then return false end
  local got = redis.call('HMGET', payload_key(newest), 'status', 'why')
  return got[1] == PayloadStatus.UNROUTED and got[2] ~= Nowhere.MEANT
end

-- Note whether it is among those that were delivered nowhere.
local function recount(conversation)
  if undelivered(conversation) then
    local at = redis.call('ZSCORE', PREFIX .. 'conversations', conversation) or now
    return redis.call('ZADD', PREFIX .. 'undelivered', at, conversation)
  end
  return redis.call('ZREM', PREFIX .. 'undelivered', conversation)
end

-- No connector gets this revision of it, and why.
local function nowhere(conversation, id, why)
  if why ~= '' then redis.call('HSET', payload_key(id), 'why', why) end
  recount(conversation)
end
