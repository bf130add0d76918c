-- An attempt has ended: write it down and say what becomes of the delivery.
-- now, connector, id, token, outcome, attempt as JSON, delay in ms (retry), error, reference id, reference url,
-- revision, fingerprint, payload, trouble ('outage': no answer or a 5xx, 'throttled', or ''), requests that it took,
-- outages in a row that close the gate or 0 -> 1, or 0 when the lease was lost
local connector, id, token, outcome, attempt = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local delay, error_text, ref, url, revision = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local fingerprint, payload, trouble, requests, too_many = ARGV[12], ARGV[13], ARGV[14], ARGV[15], tonumber(ARGV[16])
local key, lane = delivery_key(id), lane_key(connector)
if not holds(connector, id, token) then return 0 end
redis.call('HDEL', lease_key(connector), id)
log_attempt(id, attempt)
redis.call('HDEL', key, 'crashes')
count('out:' .. connector .. ':' .. outcome)
if error_text == '' then redis.call('HDEL', key, 'error') else redis.call('HSET', key, 'error', error_text) end

local done = outcome == 'delivered' or outcome == 'skipped'
local gate_key = P .. 'gate:' .. connector
local gate = redis.call('HMGET', gate_key, 'by', 'probe')
settle_pace(connector, requests - 1, trouble == 'throttled' and tonumber(delay))
if outcome == 'delivered' then
  if redis.call('HGET', key, 'delivered') ~= payload then
    -- How long it took from receipt to record, in quarters of an octave.
    local took = math.max(1, now - tonumber(redis.call('HGET', payload_key(payload), 'received')))
    count('took:' .. connector .. ':' .. math.floor(4 * math.log(took) / math.log(2)))
    redis.call('HINCRBY', P .. 'totals', 'took:' .. connector .. ':sum', took)
  end
  redis.call('HSET', key, 'delivered', payload, 'revision', revision, 'ref', ref, 'url', url)
end
if done then
  redis.call('HDEL', key, 'tries', 'first')
  redis.call('ZREM', lane, id)
  set_delivery_status(id, outcome)
elseif outcome == 'retry' and trouble == 'outage' and gate[1] == 'breaker' then
  -- It is the destination that is out of order, and known to be: this delivery waits and has lost no try.
  redis.call('ZADD', lane, now, id)
  set_delivery_status(id, redis.call('HGET', key, 'tries') and 'retrying' or 'waiting')
elseif outcome == 'retry' then
  redis.call('HINCRBY', key, 'tries', 1)
  redis.call('HSETNX', key, 'first', now)
  redis.call('ZADD', lane, now + tonumber(delay), id)
  set_delivery_status(id, 'retrying')
elseif outcome == 'paused' then
  -- The whole lane waits behind its gate; this delivery has lost none of its tries.
  if gate[1] ~= 'admin' then
    redis.call('DEL', gate_key)
    redis.call('HSET', gate_key, 'since', now, 'reason', error_text, 'by', 'relay', 'fingerprint', fingerprint)
  end
  redis.call('ZADD', lane, now, id)
  set_delivery_status(id, redis.call('HGET', key, 'tries') and 'retrying' or 'waiting')
else
  redis.call('ZREM', lane, id)
  set_delivery_status(id, 'dead')
end

-- Behind a gate that closed by itself, this one was sent ahead to see whether things are right again.
local ahead = gate[2] == token
local answered = done or outcome == 'refused'
if ahead and (done and gate[1] == 'relay' or answered and gate[1] == 'breaker') then redis.call('DEL', gate_key) end
if too_many > 0 then break_circuit(connector, id, answered, trouble, too_many, ahead, error_text, fingerprint) end

-- A newer revision came in meanwhile, or somebody asked for it again: that is a new errand.
if redis.call('HDEL', key, 'again') == 1 then
  make_due(id, connector)
end
return 1
