-- A body was read: make it a revision of its conversation and one delivery due for each connector.
-- now, id, token, conversation, note or '', summary, then the routed connectors -> lanes to knock on, or false: lease
-- lost
local id, token, conversation, note, summary = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if not holds('inbox', id, token) then return false end
redis.call('ZREM', lane_key('inbox'), id)
redis.call('HDEL', lease_key('inbox'), id)

-- The order is that of arrival, whichever worker was faster; a revision's number is its place in it.
local revisions = P .. 'revisions:' .. conversation
redis.call('ZADD', revisions, redis.call('HGET', payload_key(id), 'sequence'), id)
redis.call('HSET', payload_key(id), 'conversation', conversation)
redis.call('HDEL', payload_key(id), 'crashes', 'error')
if note ~= '' then redis.call('HSET', payload_key(id), 'error', note) end
redis.call('ZADD', P .. 'conversations', now, conversation)
if redis.call('ZREVRANGE', revisions, 0, 0)[1] == id then redis.call('SET', P .. 'summary:' .. conversation, summary) end

-- Where an earlier revision was delivered, this one is due too, whatever the routes say today.
local connectors, seen, knocks = {}, {}, {}
for i = 7, #ARGV do connectors[#connectors + 1] = ARGV[i] end
local existing = P .. 'deliveries-of:' .. conversation
for _, name in ipairs(redis.call('SMEMBERS', existing)) do connectors[#connectors + 1] = name end
for _, name in ipairs(connectors) do
  if not seen[name] then
    seen[name] = true
    local delivery = name .. ':' .. conversation
    if redis.call('EXISTS', delivery_key(delivery)) == 0 then
      redis.call('SADD', existing, name)
      redis.call('SADD', P .. 'connectors', name)
      redis.call('HSET', delivery_key(delivery), 'connector', name, 'conversation', conversation, 'created', now)
    end
    if redis.call('HEXISTS', lease_key(name), delivery) == 1 then
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
return knocks
