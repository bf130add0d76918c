-- Remove everything about a conversation. now, conversation, settled before or '' for whatever it is,
-- dead before or '' for never -> {1, revisions, attempts, of each delivery {connector, ref, url, steps}},
-- {0}: there is none, or {-1}: in use, or not old enough
local conversation, settled, dead = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]) or 0
local revisions = redis.call('ZRANGE', P .. 'revisions:' .. conversation, 0, -1)
local connectors = redis.call('SMEMBERS', P .. 'deliveries-of:' .. conversation)
if #revisions == 0 then
  redis.call('ZREM', P .. 'conversations', conversation)
  return {0}
end
for _, id in ipairs(revisions) do
  if worked_on('inbox', id) then return {-1} end
  if settled then
    local got = redis.call('HMGET', payload_key(id), 'status', 'since', 'received')
    if got[1] == 'received' then return {-1} end
    -- It was read once, and could not be read again.
    if got[1] == 'quarantined' and tonumber(got[2] or got[3]) >= dead then return {-1} end
  end
end
local ended = {delivered = settled, skipped = settled, discarded = settled, dead = dead}
for _, name in ipairs(connectors) do
  local id = name .. ':' .. conversation
  if worked_on(name, id) then return {-1} end
  if settled then
    local got = redis.call('HMGET', delivery_key(id), 'status', 'updated')
    local before = ended[got[1]]
    if not before or tonumber(got[2]) >= before then return {-1} end
  end
end
-- One that went nowhere has no other time than that of its coming.
if settled and #connectors == 0
    and tonumber(redis.call('ZSCORE', P .. 'conversations', conversation) or 0) >= settled then
  return {-1}
end

local attempts, made = 0, {}
for _, name in ipairs(connectors) do
  local id = name .. ':' .. conversation
  local got = redis.call('HMGET', delivery_key(id), 'status', 'ref', 'url')
  made[#made + 1] = {name, got[2] or '', got[3] or '', redis.call('HGETALL', P .. 'steps:' .. id)}
  attempts = attempts + redis.call('LLEN', P .. 'attempts:' .. id)
  redis.call('ZREM', lane_key(name), id)
  redis.call('HDEL', lease_key(name), id)
  redis.call('ZREM', P .. 'deliveries:' .. name .. ':' .. got[1], id)
  redis.call('DEL', delivery_key(id), P .. 'steps:' .. id, P .. 'attempts:' .. id)
end
for _, id in ipairs(revisions) do drop_payload(id) end
redis.call('DEL', P .. 'revisions:' .. conversation, P .. 'deliveries-of:' .. conversation, P .. 'summary:' .. conversation)
redis.call('ZREM', P .. 'conversations', conversation)
return {1, #revisions, attempts, made}
