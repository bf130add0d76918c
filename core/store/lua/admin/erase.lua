-- Remove everything about a conversation, if all of it was settled before a time (or whatever it is, without one), and
-- is dead since before another (never, without one) -> {1, revisions, attempts, of each delivery {connector, ref, url,
-- steps}}, {0}: there is none, or {-1}: in use, or not old enough
--- args: now, conversation, settled:number?, dead:number?
--- uses: keys, ids, in_use, drop, twins, orders, gone, causes
dead = dead or 0
local revisions = redis.call('ZRANGE', PREFIX .. 'revisions:' .. conversation, 0, -1)
local connectors = redis.call('SMEMBERS', PREFIX .. 'deliveries-of:' .. conversation)
if #revisions == 0 then
  redis.call('ZREM', PREFIX .. 'conversations', conversation)
  return {0}
end
for _, id in ipairs(revisions) do
  if worked_on(INBOX, id) then return {-1} end
  if settled then
    local got = redis.call('HMGET', payload_key(id), 'status', 'since', 'received')
    if got[1] == PayloadStatus.RECEIVED then return {-1} end
    -- It was read once, and could not be read again.
    if got[1] == PayloadStatus.QUARANTINED and tonumber(got[2] or got[3]) >= dead then return {-1} end
  end
end
local ended = {
  [DeliveryStatus.DELIVERED] = settled, [DeliveryStatus.SKIPPED] = settled, [DeliveryStatus.DISCARDED] = settled,
  [DeliveryStatus.DEAD] = dead,
}
for _, name in ipairs(connectors) do
  local id = delivery_id(name, conversation)
  if worked_on(name, id) then return {-1} end
  if settled then
    local got = redis.call('HMGET', delivery_key(id), 'status', 'updated')
    local before = ended[got[1]]
    if not before or tonumber(got[2]) >= before then return {-1} end
  end
end
-- One that was delivered nowhere has no other time than that of its coming. It is kept like a dead letter, unless
-- somebody wanted it so.
if settled and #connectors == 0 then
  local got = redis.call('HMGET', payload_key(revisions[#revisions]), 'status', 'why', 'since')
  local wanted = got[1] == PayloadStatus.DISCARDED or got[2] == Nowhere.MEANT
  local at = got[1] == PayloadStatus.DISCARDED and got[3]
    or redis.call('ZSCORE', PREFIX .. 'conversations', conversation) or 0
  if tonumber(at) >= (wanted and settled or dead) then return {-1} end
end

local attempts, made = 0, {}
for _, name in ipairs(connectors) do
  local id = delivery_id(name, conversation)
  local got = redis.call('HMGET', delivery_key(id), 'status', 'ref', 'url')
  made[#made + 1] = {name, got[2] or '', got[3] or '', redis.call('HGETALL', PREFIX .. 'steps:' .. id)}
  attempts = attempts + redis.call('LLEN', PREFIX .. 'attempts:' .. id)
  redis.call('ZREM', lane_key(name), id)
  if redis.call('GET', PREFIX .. 'suspect:' .. name) == id then redis.call('DEL', PREFIX .. 'suspect:' .. name) end
  redis.call('HDEL', lease_key(name), id)
  redis.call('ZREM', PREFIX .. 'deliveries:' .. name .. ':' .. got[1], id)
  forget_cause(id, name)
  redis.call('DEL', delivery_key(id), PREFIX .. 'steps:' .. id, PREFIX .. 'attempts:' .. id)
end
for _, id in ipairs(revisions) do drop_payload(id) end
for _, kind in ipairs({'revisions:', 'deliveries-of:', 'summary:'}) do
  redis.call('DEL', PREFIX .. kind .. conversation)
end
redis.call('ZREM', PREFIX .. 'conversations', conversation)
redis.call('ZREM', PREFIX .. 'undelivered', conversation)
-- What was on its way would bring it back.
for _, other in ipairs(redis.call('SMEMBERS', PREFIX .. 'other-ids:' .. conversation)) do drop_order(other) end
drop_order(conversation)
note_removal()
drop_twins(conversation)
-- Should it go on, nobody knows any more what became of it: of what began before, not all is remembered.
local memory = settled and math.max(settled, dead) or now
if memory > tonumber(redis.call('HGET', PREFIX .. 'epoch', 'memory') or now) then
  redis.call('HSET', PREFIX .. 'epoch', 'memory', memory)
end
return {1, #revisions, attempts, made}
