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

-- Whether a mark that was set for `ms` still stands. One with longer to go is from before the clock was put back.
local function stands(name, ms)
  local left = redis.call('PTTL', P .. name)
  return left > 0 and left <= ms
end

-- Whether leases that ran out may have run out because the server was away, or because its clock jumped: then nobody
-- was heard of for as long as it knows.
local STEADY_MS = 3000
local function unsettled() return stands('settling', STEADY_MS) or not stands('steady', STEADY_MS) end

local function lane_key(lane) return P .. 'lane:' .. lane end
local function lease_key(lane) return P .. 'leases:' .. lane end
local function payload_key(id) return P .. 'payload:' .. id end
local function delivery_key(id) return P .. 'delivery:' .. id end

-- One knock that nobody has answered yet is enough: 1 when the caller should send one. Should it be lost, the tick
-- sends the next.
local function want_knock(lane)
  if stands('knock:' .. lane, KNOCK_MS) then return 0 end
  redis.call('SET', P .. 'knock:' .. lane, '1', 'PX', KNOCK_MS)
  return 1
end

-- Statistics: by the minute for two hours, by the hour for 33 days, and since ever. Fields are in keys.py.
local function count(field, by)
  by = by or 1
  local minute = P .. 'count:minute:' .. math.floor(now / 60000)
  if redis.call('HINCRBY', minute, field, by) == by then redis.call('PEXPIRE', minute, 7200000) end
  local hour = P .. 'count:hour:' .. math.floor(now / 3600000)
  if redis.call('HINCRBY', hour, field, by) == by then redis.call('PEXPIRE', hour, 2851200000) end
  redis.call('HINCRBY', P .. 'totals', field, by)
end

-- A closed gate lets one through when an admin asked for it, or when a breaker's time has come. One that is further off
-- than the longest wait is from before the clock was put back.
local PROBE_MS, LONGEST_PROBE_MS = 90000, 600000
local function opens(asked, time)
  local left = tonumber(time or 0) - now
  return asked or time and (left <= 0 or left > LONGEST_PROBE_MS)
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
  redis.call('HDEL', delivery_key(id), 'tries', 'waited', 'crashes', 'again', 'error')
  set_delivery_status(id, 'waiting')
  redis.call('ZADD', lane_key(connector), now, id)
end

-- Whether somebody is at it, as far as can be known: a lease that ran out is nobody's, unless it was the server that
-- was away.
local function worked_on(lane, id)
  if redis.call('HEXISTS', lease_key(lane), id) == 0 then return false end
  if stands('settling', STEADY_MS) then return true end
  return tonumber(redis.call('ZSCORE', lane_key(lane), id) or 0) > now
end

local function holds(lane, id, token) return redis.call('HGET', lease_key(lane), id) == token end

local function log_attempt(id, json)
  local key = P .. 'attempts:' .. id
  redis.call('RPUSH', key, json)
  redis.call('LTRIM', key, -100, -1)
end

-- Everything about one body.
local function drop_payload(id)
  local got = redis.call('HMGET', payload_key(id), 'status', 'digest')
  if got[1] then redis.call('ZREM', P .. 'payloads:' .. got[1], id) end
  if got[2] and redis.call('GET', P .. 'body:' .. got[2]) == id then redis.call('DEL', P .. 'body:' .. got[2]) end
  redis.call('ZREM', lane_key('inbox'), id)
  redis.call('HDEL', lease_key('inbox'), id)
  return redis.call('DEL', payload_key(id), P .. 'raw:' .. id) > 0
end

-- Do a delivery again: now, or after the attempt that is going on.
local function again(id, connector)
  if redis.call('HEXISTS', lease_key(connector), id) == 1 then
    redis.call('HSET', delivery_key(id), 'again', 1)
    return false
  end
  make_due(id, connector)
  return true
end

-- Give a delivery up on purpose -> 1, 0: no such thing, or -1: it is being tried, or is settled already
local function discard(id, reason, by)
  local got = redis.call('HMGET', delivery_key(id), 'status', 'connector')
  if not got[1] then return 0 end
  if redis.call('HEXISTS', lease_key(got[2]), id) == 1 then return -1 end
  if got[1] == 'delivered' or got[1] == 'skipped' or got[1] == 'discarded' then return -1 end
  redis.call('ZREM', lane_key(got[2]), id)
  redis.call('HSET', delivery_key(id), 'error', reason)
  log_attempt(id, cjson.encode({at = now, ms = 0, outcome = 'discarded', revision = 0, error = reason, worker = by}))
  set_delivery_status(id, 'discarded')
  count('out:' .. got[2] .. ':discarded')
  return 1
end
