-- What every script shares. Keys are described in keys.py. ARGV[1] is the time in milliseconds, or '' for the
-- server's own clock: one clock for all machines.
local P = 'relay:'
local function time_ms()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local now = time_ms()
local KNOCK_MS = 60000

local function lane_key(lane) return P .. 'lane:' .. lane end
local function lease_key(lane) return P .. 'leases:' .. lane end
local function payload_key(id) return P .. 'payload:' .. id end
local function delivery_key(id) return P .. 'delivery:' .. id end

-- One knock that nobody has answered yet is enough: 1 when the caller should send one. Should it be lost, the tick
-- sends the next.
local function want_knock(lane)
  if redis.call('SET', P .. 'knock:' .. lane, '1', 'NX', 'PX', KNOCK_MS) then return 1 end
  return 0
end

local function set_payload_status(id, status)
  local key = payload_key(id)
  local old = redis.call('HGET', key, 'status')
  if old then redis.call('ZREM', P .. 'payloads:' .. old, id) end
  redis.call('HSET', key, 'status', status)
  redis.call('ZADD', P .. 'payloads:' .. status, redis.call('HGET', key, 'received'), id)
end

local function set_delivery_status(id, status)
  local key = delivery_key(id)
  local got = redis.call('HMGET', key, 'status', 'connector')
  if got[1] then redis.call('ZREM', P .. 'deliveries:' .. got[2] .. ':' .. got[1], id) end
  redis.call('HSET', key, 'status', status, 'updated', now)
  redis.call('ZADD', P .. 'deliveries:' .. got[2] .. ':' .. status, now, id)
end

-- Due now, with a fresh series of tries.
local function make_due(id, connector)
  redis.call('HDEL', delivery_key(id), 'tries', 'first', 'crashes', 'again', 'error')
  set_delivery_status(id, 'waiting')
  redis.call('ZADD', lane_key(connector), now, id)
end

local function holds(lane, id, token) return redis.call('HGET', lease_key(lane), id) == token end

local function log_attempt(id, json)
  local key = P .. 'attempts:' .. id
  redis.call('RPUSH', key, json)
  redis.call('LTRIM', key, -100, -1)
end
