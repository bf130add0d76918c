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

-- Statistics: by the minute for two hours, by the hour for 33 days, and since ever. Fields are in keys.py.
local function count(field, by)
  by = by or 1
  local minute = P .. 'count:minute:' .. math.floor(now / 60000)
  if redis.call('HINCRBY', minute, field, by) == by then redis.call('PEXPIRE', minute, 7200000) end
  local hour = P .. 'count:hour:' .. math.floor(now / 3600000)
  if redis.call('HINCRBY', hour, field, by) == by then redis.call('PEXPIRE', hour, 2851200000) end
  redis.call('HINCRBY', P .. 'totals', field, by)
end

-- A closed gate lets one through when an admin asked for it, or when a breaker's time has come.
local PROBE_MS = 90000
local function may_go_ahead(lane)
  local got = redis.call('HMGET', P .. 'gate:' .. lane, 'ahead', 'until')
  return got[1] or (got[2] and tonumber(got[2]) <= now)
end

-- Whether a lane has as many at work as it may. Leases that ran out are nobody's work.
local function busy(lane, at_once)
  if redis.call('HLEN', lease_key(lane)) < at_once then return false end
  local alive = 0
  for _, id in ipairs(redis.call('HKEYS', lease_key(lane))) do
    if tonumber(redis.call('ZSCORE', lane_key(lane), id) or 0) > now then alive = alive + 1 end
  end
  return alive >= at_once
end

-- The pace of a lane: a bucket of requests, filled at the rate, which a 429 divides by `slow` for a while. Returns
-- whether a delivery may begin. `rate` is nil where there is none; then only what the vendor says holds it back.
local BURST_S = 5
local function paced(lane, rate)
  local got = redis.call('HMGET', P .. 'pace:' .. lane, 'hold', 'tokens', 'at', 'slow')
  if got[1] and tonumber(got[1]) > now then return false end
  if not rate then return true end
  rate = rate / tonumber(got[4] or 1)
  local full = math.max(1, rate * BURST_S)
  local tokens = math.min(full, tonumber(got[2] or full) + (now - tonumber(got[3] or now)) / 1000 * rate)
  redis.call('HSET', P .. 'pace:' .. lane, 'tokens', tokens, 'at', now)
  return tokens >= 1
end

local function charge(lane, requests)
  redis.call('HINCRBYFLOAT', P .. 'pace:' .. lane, 'tokens', -requests)
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

-- Whether somebody is at it, as far as can be known: a lease that ran out is nobody's, unless it was the server that
-- was away.
local function worked_on(lane, id)
  if redis.call('HEXISTS', lease_key(lane), id) == 0 then return false end
  if redis.call('EXISTS', P .. 'settling') == 1 then return true end
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

-- An attempt has ended: what it cost beyond the one request that its claim paid, and what a 429 asks for (ms, or nil).
local function settle_pace(connector, more, wait)
  local pace = P .. 'pace:' .. connector
  local got = redis.call('HMGET', pace, 'tokens', 'slow', 'slowed')
  if more > 0 and got[1] then charge(connector, more) end
  local slow = tonumber(got[2] or 1)
  if wait then
    -- What is in flight at once hears of it at once: that is one reason to slow down, not sixteen.
    if now - tonumber(got[3] or 0) >= 1000 then slow = math.min(64, slow * 2) end
    redis.call('HSET', pace, 'slow', slow, 'slowed', now, 'hold', now + math.min(wait, 60000))
  elseif slow > 1 then
    slow = slow * 0.98
    if slow > 1.02 then redis.call('HSET', pace, 'slow', slow) else redis.call('HDEL', pace, 'slow', 'slowed', 'hold') end
  end
end

-- The circuit breaker: outages in a row, of different deliveries, close the gate; one is sent ahead every 30 s at
-- first and every ten minutes in the end; any answer opens it.
local function break_circuit(connector, id, answered, trouble, too_many, ahead, reason, fingerprint)
  local gate, circuit = P .. 'gate:' .. connector, P .. 'circuit:' .. connector
  if answered then redis.call('DEL', circuit) end
  if trouble ~= 'outage' then return end
  local by = redis.call('HGET', gate, 'by')
  if by == 'breaker' and ahead then
    local probes = redis.call('HINCRBY', gate, 'probes', 1)
    redis.call('HSET', gate, 'reason', reason, 'until', now + math.min(600000, 30000 * 2 ^ probes))
    redis.call('HDEL', gate, 'probe')
  elseif not by and redis.call('HGET', circuit, 'last') ~= id then
    redis.call('HSET', circuit, 'last', id)
    if redis.call('HINCRBY', circuit, 'outages', 1) < too_many then return end
    redis.call('DEL', circuit)
    redis.call('HSET', gate, 'since', now, 'reason', reason, 'by', 'breaker', 'fingerprint', fingerprint,
      'until', now + 30000)
    count('out:' .. connector .. ':opened')
  end
end
