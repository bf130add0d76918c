-- A body was read: make it a revision of its conversation and one delivery due for each connector.
-- now, id, token, conversation, note or '', summary; then, to take the next bodies in the same step, token or '', lease,
-- crashes, how many (claim.lua); then the routed connectors -> {} when the lease was lost, or {lanes to knock on, what claim.lua
-- returns}
local id, token, conversation, note, summary = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if not holds('inbox', id, token) then return {} end
redis.call('ZREM', lane_key('inbox'), id)
redis.call('HDEL', lease_key('inbox'), id)

-- The order is that of arrival, whichever worker was faster; a revision's number is its place in it.
local revisions = P .. 'revisions:' .. conversation
local got = redis.call('HMGET', payload_key(id), 'sequence', 'crashes', 'error')
redis.call('ZADD', revisions, got[1], id)
if got[2] or got[3] then redis.call('HDEL', payload_key(id), 'crashes', 'error') end
redis.call('HSET', payload_key(id), 'conversation', conversation, unpack(note ~= '' and {'error', note} or {}))
redis.call('ZADD', P .. 'conversations', now, conversation)
if redis.call('ZREVRANGE', revisions, 0, 0)[1] == id then redis.call('SET', P .. 'summary:' .. conversation, summary) end

-- Where an earlier revision was delivered, this one is due too, whatever the routes say today.
local connectors, seen, knocks = {}, {}, {}
for i = 11, #ARGV do connectors[#connectors + 1] = ARGV[i] end
local existing = P .. 'deliveries-of:' .. conversation
for _, name in ipairs(redis.call('SMEMBERS', existing)) do connectors[#connectors + 1] = name end
for _, name in ipairs(connectors) do
  if not seen[name] then
    seen[name] = true
    local delivery = name .. ':' .. conversation
    if redis.call('EXISTS', delivery_key(delivery)) == 0 then
      redis.call('SADD', existing, name)
      redis.call('SADD', P .. 'connectors', name)
      redis.call('HSET', delivery_key(delivery), 'connector', name, 'conversation', conversation, 'created', now,
        'status', 'waiting', 'updated', now)
      redis.call('ZADD', P .. 'deliveries:' .. name .. ':waiting', now, delivery)
      redis.call('ZADD', lane_key(name), now, delivery)
      if want_knock(name) == 1 then knocks[#knocks + 1] = name end
    elseif redis.call('HEXISTS', lease_key(name), delivery) == 1 then
      redis.call('HSET', delivery_key(delivery), 'again', 1) -- in flight: once more afterwards
    else
      make_due(delivery, name)
      if want_knock(name) == 1 then knocks[#knocks + 1] = name end
    end
  end
end
local status = next(seen) and 'routed' or 'unrouted'
set_payload_status(id, status)
count('in:' .. status)
if ARGV[7] == '' then return {knocks, {}} end
return {knocks, take_several(tonumber(ARGV[10]), 'inbox', ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), 'stay')}
