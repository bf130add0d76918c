-- An attempt has ended: write it down (JSON) and say what becomes of the delivery; and take the next one, if there is a
-- token for it, within the connector's limits.
-- delay in ms, for a retry; the reason as it is and as it is kept (sealed), or ''; reference id and url; outages in a
-- row that are too many and close the gate, or 0; requests that it took, and how many of them its claim paid
-- What is written instead of an exhausted attempt when this is no time to give up: a retry (JSON) and its reasons
-- cause, kept_cause: what it dies of, if it does, and that as it is kept (sealed)
-- blame: what to put in front of the reason for which a gate is closed; late: ms for which it waited in vain, or 0
-- -> {} when the lease was lost, or {what claim.lua returns, what became of the gate, 1 if it was no time to give up}:
-- it was closed ('held'); a test delivery found nothing better ('still'); it is 'open' again; 'doubted': nothing
-- was written, as no other delivery was refused like this one, which may be to blame itself: look for a witness; or ''
--- args: now, connector, id, token, outcome, attempt, delay:number, reason, kept_reason, ref, url
--- args: revision:number, fingerprint, payload, trouble, requests:number, paid:number, too_many:number
--- args: doubted:flag, blame, late:number, retry, retry_reason, kept_retry_reason, cause, kept_cause, next_token
--- args: at_once:number?, rate:number?, per_day:number?, day_over:number?
--- uses: keys, counts, attempts, status, causes, lease, pace, circuit, culprits, gates, claim
local key, lane = delivery_key(id), lane_key(connector)
if not holds(connector, id, token) then return {} end
local gate_key = PREFIX .. 'gate:' .. connector
local gate = redis.call('HMGET', gate_key, 'by', 'probe', 'caused')
-- Behind a closed gate, this is the test delivery that shows whether things are right again.
local ahead, event = gate[2] == token, ''
-- It is the destination that is out of order, and known to be: this delivery waits and has lost no try.
local free = ahead or trouble == Trouble.OCCUPIED or trouble == Trouble.OUTAGE and gate[1] == Closer.BREAKER
local spared = outcome == Outcome.EXHAUSTED and free and retry ~= ''
if spared then outcome, attempt, reason, kept_reason = Outcome.RETRY, retry, retry_reason, kept_retry_reason end
local suspect_key = PREFIX .. 'suspect:' .. connector
local suspect = outcome == Outcome.PAUSED and redis.call('GET', suspect_key)
local known = gate[1] == Closer.ADMIN or gate[1] == Closer.RELAY
if outcome == Outcome.PAUSED and doubted and not known and (not suspect or suspect == id) then
  redis.call('SET', suspect_key, id, 'PX', SUSPECT_MS)
  return {{}, Gate.DOUBTED, 0}
end
redis.call('HDEL', lease_key(connector), id)
log_attempt(id, attempt)
count('out:' .. connector .. ':' .. outcome)

local got = redis.call('HMGET', key, 'status', 'tries', 'waited', 'delivered', 'again', 'crashes', 'error',
  'quiet_until', 'quiet_since')
local old, tries, waited, delivered, again = got[1], got[2], got[3], got[4], got[5]
local set, drop = {'updated', now}, {}
local function put(name, value) set[#set + 1] = name; set[#set + 1] = value end
local function remove(name, there) if there then drop[#drop + 1] = name end end
remove('crashes', got[6])
remove('alone', got[6])
if reason == '' then remove('error', got[7]) else put('error', kept_reason) end

local done = outcome == Outcome.DELIVERED or outcome == Outcome.SKIPPED
-- Left out before anything was asked: that says nothing of the destination.
local unseen = trouble == Trouble.OCCUPIED or outcome == Outcome.SKIPPED and requests == 0
settle_pace(connector, requests, paid, trouble == Trouble.THROTTLED and delay, outcome == Outcome.DELIVERED, late)
if outcome == Outcome.DELIVERED then
  if delivered ~= payload then
    -- How long it took from receipt to record, in quarters of an octave.
    local took = math.max(1, now - tonumber(redis.call('HGET', payload_key(payload), 'received')))
    count('took:' .. connector .. ':' .. math.floor(4 * math.log(took) / math.log(2)))
    redis.call('HINCRBY', PREFIX .. 'totals', 'took:' .. connector .. ':sum', took)
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
elseif outcome == Outcome.RETRY and free then
  status = tries and DeliveryStatus.RETRYING or DeliveryStatus.WAITING
  due = trouble == Trouble.OUTAGE and now or now + delay
elseif outcome == Outcome.RETRY then
  put('tries', (tries or 0) + 1)
  put('waited', (waited or 0) + delay)
  status, due = DeliveryStatus.RETRYING, now + delay
elseif outcome == Outcome.PAUSED then
  -- The whole lane waits behind its gate; whoever may be to blame has spent a try, and goes last when it opens.
  if gate[1] ~= Closer.ADMIN then
    event = gate[1] ~= Closer.RELAY and Gate.HELD or ahead and Gate.STILL or ''
    if gate[1] ~= Closer.RELAY then note_gate(connector, Closer.RELAY) end
    local caused = cjson.decode(gate[3] or '[]')
    if suspect and suspect ~= id then caused[#caused + 1] = suspect end
    if #caused < MOST_CAUSES then caused[#caused + 1] = id end
    redis.call('DEL', gate_key)
    redis.call('HSET', gate_key, 'since', now, 'reason', blame .. reason, 'by', Closer.RELAY, 'fingerprint', fingerprint,
      'caused', cjson.encode(caused))
  end
  if free or gate[1] == Closer.ADMIN then
    status, due = tries and DeliveryStatus.RETRYING or DeliveryStatus.WAITING, now
  else
    put('tries', (tries or 0) + 1)
    put('waited', (waited or 0) + delay)
    status, due = DeliveryStatus.RETRYING, now + delay
  end
else
  status = DeliveryStatus.DEAD
end
if due then redis.call('ZADD', lane, due, id) else redis.call('ZREM', lane, id) end
if old ~= status then redis.call('ZREM', PREFIX .. 'deliveries:' .. connector .. ':' .. old, id) end
put('status', status)
redis.call('HSET', key, unpack(set))
if #drop > 0 then redis.call('HDEL', key, unpack(drop)) end
redis.call('ZADD', PREFIX .. 'deliveries:' .. connector .. ':' .. status, now, id)
if status == DeliveryStatus.DEAD then note_cause(id, connector, cause, kept_cause, now) end

if done and not unseen then redis.call('DEL', suspect_key) end
-- One that says no, or not now, is at work all the same; an internal error may have come before the first request.
local bug = outcome == Outcome.BUG or trouble == Trouble.BUG
local answered = done and not unseen or outcome == Outcome.REFUSED or bug and requests > 0
  or (outcome == Outcome.RETRY or outcome == Outcome.EXHAUSTED) and not bug
    and trouble ~= Trouble.OUTAGE and trouble ~= Trouble.OCCUPIED
if ahead and unseen then redis.call('HSET', gate_key, 'ahead', 1) end -- another goes
if ahead and (done and not unseen and gate[1] == Closer.RELAY or answered and gate[1] == Closer.BREAKER) then
  redis.call('DEL', gate_key)
  note_gate(connector, '')
  put_last(connector, gate[3])
  event = Gate.OPEN
end
if too_many > 0 then
  event = break_circuit(connector, id, answered, trouble, too_many, ahead, blame .. reason, fingerprint) or event
end

-- A newer revision came in meanwhile, or somebody asked for it again: that is new work. Where nothing was ever
-- delivered, it waits for no quiet.
if again then
  local waits = got[8] and (outcome == Outcome.DELIVERED or delivered)
  make_due(id, connector, waits and tonumber(got[8]) or nil, got[9])
end
local limits = {at_once = at_once, rate = rate, per_day = per_day, day_over = day_over}
local claims = next_token ~= '' and take_several(1, connector, next_token, How.STAY, limits) or {}
return {claims, event, spared and 1 or 0}
