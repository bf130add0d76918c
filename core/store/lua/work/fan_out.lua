-- A body was read: make it a revision of its conversation and one delivery due for each routed connector, or note why
-- there is none. With a token for them, the next bodies are taken in the same step.
-- begun: when it began, as it says itself; seen: how many began then, as the caller knows; other: another id of it;
-- beneath: it says no more than the newest revision, and is filed before that; above: that one says no more than it, and
-- stays before it, though it came later (docs/adr/0030); compared: the newest revision, as the caller knows; '': none
-- -> {} when the lease was lost, {0}: others began at that time meanwhile, or another revision is the newest by now; or
-- {lanes to wake, what claim.lua returns}
--- args: now, id, token, conversation, began:number?, begun:number?, seen:number?, other, beneath:flag, above:flag
--- args: compared, note, summary, why, waits, next_token, connectors...
--- uses: keys, ids, marks, lease, status, counts, epoch, give, quiet, names, twins, claim
if not holds(INBOX, id, token) then return {} end
if seen and begun then
  local near = redis.call('ZCOUNT', begun_key(conversation), begun - TWIN_MS, begun + TWIN_MS)
  if near ~= seen then return {0} end
end
if compared ~= '' and redis.call('ZREVRANGE', PREFIX .. 'revisions:' .. conversation, 0, 0)[1] ~= compared then return {0} end
redis.call('ZREM', lane_key(INBOX), id)
redis.call('HDEL', lease_key(INBOX), id)

-- The order is that of arrival, whichever worker was faster; a revision's number is its place in it.
local revisions = PREFIX .. 'revisions:' .. conversation
local got = redis.call('HMGET', payload_key(id), 'sequence', 'crashes', 'error')
local last = redis.call('ZREVRANGE', revisions, 0, 0, 'WITHSCORES')
local top = beneath and last[1] and last
if top then
  redis.call('ZADD', revisions, top[2] - 0.5, id)
elseif above and last[1] and last[1] ~= id then
  redis.call('ZADD', revisions, math.max(got[1], last[2] + 0.5), id)
else
  redis.call('ZADD', revisions, got[1], id)
end
if begun then redis.call('ZADD', begun_key(conversation), begun, conversation) end
if other ~= '' then
  redis.call('SET', PREFIX .. 'other-id:' .. other, conversation)
  redis.call('SADD', PREFIX .. 'other-ids:' .. conversation, other)
end
if got[2] or got[3] then redis.call('HDEL', payload_key(id), 'crashes', 'alone', 'error') end
redis.call('HSET', payload_key(id), 'conversation', conversation, unpack(note ~= '' and {'error', note} or {}))
if top then
  local newest = redis.call('HMGET', payload_key(top[1]), 'status', 'why')
  redis.call('HSET', payload_key(id), 'beneath', 1, unpack(newest[2] and {'why', newest[2]} or {}))
  local status = newest[1]
  -- That one is read again; this one is not.
  if not status or status == PayloadStatus.RECEIVED or status == PayloadStatus.QUARANTINED then
    local given = redis.call('EXISTS', PREFIX .. 'deliveries-of:' .. conversation) == 1
    status = given and PayloadStatus.ROUTED or PayloadStatus.UNROUTED
  end
  -- What is above it has the next number now.
  local number = redis.call('ZRANK', revisions, id) + 1
  for _, name in ipairs(redis.call('SMEMBERS', PREFIX .. 'deliveries-of:' .. conversation)) do
    local delivery = delivery_key(delivery_id(name, conversation))
    -- At its destination it keeps the number that it has: texts are found again by that.
    redis.call('HINCRBY', delivery, 'beneath', 1)
    if tonumber(redis.call('HGET', delivery, 'revision') or 0) >= number then
      redis.call('HINCRBY', delivery, 'revision', 1)
    end
  end
  set_payload_status(id, status)
  count('in:' .. status)
  if next_token == '' then return {{}, {}} end
  return {{}, take_several(BATCH, INBOX, next_token, How.STAY)}
end
redis.call('ZADD', PREFIX .. 'conversations', now, conversation)
if redis.call('ZREVRANGE', revisions, 0, 0)[1] == id then
  redis.call('SET', PREFIX .. 'summary:' .. conversation, summary)
end

-- Where an earlier revision was delivered, this one is due too, whatever the routes say today.
local seen, woken = {}, {}
local _, memory = epoch()
-- It may have been delivered before all that is remembered: its deliveries look first.
local late = began and began < memory + SKEW_MS
local existing = PREFIX .. 'deliveries-of:' .. conversation
-- In flight: once more afterwards, and then it may have to wait.
local function once_more(delivery, name)
  local till, since = quiet(name, delivery, conversation, true)
  redis.call('HSET', delivery_key(delivery), 'again', 1,
    unpack(till and {'quiet_until', till, 'quiet_since', since} or {}))
end
for new, old in pairs(rename_deliveries(conversation)) do
  seen[new] = true
  once_more(delivery_id(old, conversation), new)
end
for _, name in ipairs(redis.call('SMEMBERS', existing)) do connectors[#connectors + 1] = name end
for _, name in ipairs(connectors) do
  name = name_now(name)
  if not seen[name] then
    seen[name] = true
    local delivery = delivery_id(name, conversation)
    local due = false
    if redis.call('EXISTS', delivery_key(delivery)) == 0 then
      due = give(name, conversation, late, quiet(name, delivery, conversation, false))
    elseif redis.call('HEXISTS', lease_key(name), delivery) == 1 then
      once_more(delivery, name)
    else
      local before = redis.call('HEXISTS', delivery_key(delivery), 'delivered') == 1
      due = make_due(delivery, name, quiet(name, delivery, conversation, before))
    end
    if due and want_wake_up(name) == 1 then woken[#woken + 1] = name end
  end
end
local status = next(seen) and PayloadStatus.ROUTED or PayloadStatus.UNROUTED
set_payload_status(id, status)
if next(seen) then placed(conversation) else nowhere(conversation, id, why) end
count('in:' .. status)
if next_token == '' then return {woken, {}} end
return {woken, take_several(BATCH, INBOX, next_token, How.STAY)}
