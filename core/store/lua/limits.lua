-- What holds a connector's lane back: how many at once, how many a second, and the circuit breaker (docs/adr/0006).

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
