-- An attempt has ended: write it down and say what becomes of the delivery; and take the next one, if that is wanted.
-- now, connector, id, token, outcome, attempt as JSON, delay in ms (retry), error, reference id, reference url,
-- revision, fingerprint, payload, trouble ('outage': no answer or a 5xx, 'throttled', or ''), requests that it took,
-- outages in a row that close the gate or 0; then as for claim.lua, but for the lane and how: token or '', lease,
-- crashes, at once, rate; how many requests its claim paid, the error as it is kept -> {} when the lease was lost, or
-- {what claim.lua returns, what became of the gate}: 'held', it was closed; 'still', one that was sent ahead found
-- nothing better; 'open' again; 'spared', nothing was written, for this is no time to give up: settle it as one to try
-- again; or ''
local connector, id, token, outcome, attempt = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local delay, error_text, ref, url, revision = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local fingerprint, payload, trouble, requests, too_many = ARGV[12], ARGV[13], ARGV[14], ARGV[15], tonumber(ARGV[16])
local key, lane = delivery_key(id), lane_key(connector)
if not holds(connector, id, token) then return {} end
local gate_key = P .. 'gate:' .. connector
local gate = redis.call('HMGET', gate_key, 'by', 'probe')
-- Behind a closed gate, this one was sent ahead to see whether things are right again.
local ahead, event = gate[2] == token, ''
-- It is the destination that is out of order, and known to be: this delivery waits and has lost no try.
local free = ahead or trouble == 'outage' and gate[1] == 'breaker'
if outcome == 'exhausted' and free then return {{}, 'spared'} end
redis.call('HDEL', lease_key(connector), id)
log_attempt(id, attempt)
count('out:' .. connector .. ':' .. outcome)

local got = redis.call('HMGET', key, 'status', 'tries', 'waited', 'delivered', 'again', 'crashes', 'error')
local old, tries, waited, delivered, again = got[1], got[2], got[3], got[4], got[5]
local set, drop = {'updated', now}, {}
local function put(name, value) set[#set + 1] = name; set[#set + 1] = value end
local function remove(name, there) if there then drop[#drop + 1] = name end end
remove('crashes', got[6])
if error_text == '' then remove('error', got[7]) else put('error', ARGV[23]) end

local done = outcome == 'delivered' or outcome == 'skipped'
settle_pace(connector, tonumber(requests), tonumber(ARGV[22]), trouble == 'throttled' and tonumber(delay),
  outcome == 'delivered')
if outcome == 'delivered' then
  if delivered ~= payload then
    -- How long it took from receipt to record, in quarters of an octave.
    local took = math.max(1, now - tonumber(redis.call('HGET', payload_key(payload), 'received')))
    count('took:' .. connector .. ':' .. math.floor(4 * math.log(took) / math.log(2)))
    redis.call('HINCRBY', P .. 'totals', 'took:' .. connector .. ':sum', took)
  end
  put('delivered', payload)
  put('revision', revision)
  put('ref', ref)
  put('url', url)
end
local status, due
if done then
  remove('tries', tries)
  remove('waited', waited)
  status = outcome
elseif outcome == 'retry' and free then
  status, due = tries and 'retrying' or 'waiting', trouble == 'outage' and now or now + tonumber(delay)
elseif outcome == 'retry' then
  put('tries', (tries or 0) + 1)
  put('waited', (waited or 0) + delay)
  status, due = 'retrying', now + tonumber(delay)
elseif outcome == 'paused' then
  -- The whole lane waits behind its gate; this delivery has lost none of its tries.
  if gate[1] ~= 'admin' then
    event = gate[1] ~= 'relay' and 'held' or ahead and 'still' or ''
    redis.call('DEL', gate_key)
    redis.call('HSET', gate_key, 'since', now, 'reason', error_text, 'by', 'relay', 'fingerprint', fingerprint)
  end
  status, due = tries and 'retrying' or 'waiting', now
else
  status = 'dead'
end
if due then redis.call('ZADD', lane, due, id) else redis.call('ZREM', lane, id) end
if old ~= status then redis.call('ZREM', P .. 'deliveries:' .. connector .. ':' .. old, id) end
put('status', status)
redis.call('HSET', key, unpack(set))
if #drop > 0 then redis.call('HDEL', key, unpack(drop)) end
redis.call('ZADD', P .. 'deliveries:' .. connector .. ':' .. status, now, id)

-- One that says no, or not now, is at work all the same; a bug of ours may have come before the first request.
local answered = done or outcome == 'refused' or outcome == 'bug' and tonumber(requests) > 0
  or (outcome == 'retry' or outcome == 'exhausted') and trouble ~= 'outage'
if ahead and (done and gate[1] == 'relay' or answered and gate[1] == 'breaker') then
  redis.call('DEL', gate_key)
  event = 'open'
end
if too_many > 0 then
  event = break_circuit(connector, id, answered, trouble, too_many, ahead, error_text, fingerprint) or event
end

-- A newer revision came in meanwhile, or somebody asked for it again: that is a new errand.
if again then make_due(id, connector) end
if ARGV[17] == '' then return {{}, event} end
return {take_several(1, connector, ARGV[17], tonumber(ARGV[18]), tonumber(ARGV[19]), 'stay', tonumber(ARGV[20]),
  tonumber(ARGV[21])), event}
