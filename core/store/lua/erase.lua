-- Remove everything about a conversation. now, conversation, settled before or '' for whatever it is,
-- dead before or '' for never -> {1, revisions, deliveries, attempts}, {0}: there is none, or {-1}: in use, or
-- not old enough
local conversation, settled, dead = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local revisions = redis.call('ZRANGE', P .. 'revisions:' .. conversation, 0, -1)
local connectors = redis.call('SMEMBERS', P .. 'deliveries-of:' .. conversation)
if #revisions == 0 then
  redis.call('ZREM', P .. 'conversations', conversation)
  return {0}
end
for _, id in ipairs(revisions) do
  if redis.call('HEXISTS', lease_key('inbox'), id) == 1 then return {-1} end
  if settled and redis.call('HGET', payload_key(id), 'status') == 'received' then return {-1} end
end
local ended = {delivered = settled, skipped = settled, discarded = settled, dead = dead}
for _, name in ipairs(connectors) do
  local id = name .. ':' .. conversation
  if redis.call('HEXISTS', lease_key(name), id) == 1 then return {-1} end
  if settled then
    local got = redis.call('HMGET', delivery_key(id), 'status', 'updated')
    local before = ended[got[1]]
    if not before or tonumber(got[2]) >= before then return {-1} end
  end
end

local attempts = 0
for _, name in ipairs(connectors) do
  local id = name .. ':' .. conversation
  local status = redis.call('HGET', delivery_key(id), 'status')
  attempts = attempts + redis.call('LLEN', P .. 'attempts:' .. id)
  redis.call('ZREM', lane_key(name), id)
  redis.call('ZREM', P .. 'deliveries:' .. name .. ':' .. status, id)
  redis.call('DEL', delivery_key(id), P .. 'steps:' .. id, P .. 'attempts:' .. id)
end
for _, id in ipairs(revisions) do drop_payload(id) end
redis.call('DEL', P .. 'revisions:' .. conversation, P .. 'deliveries-of:' .. conversation, P .. 'summary:' .. conversation)
redis.call('ZREM', P .. 'conversations', conversation)
return {1, #revisions, #connectors, attempts}
