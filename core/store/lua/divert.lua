-- Take a body that holds no conversation out of the inbox.
-- now, id, token or '' for the receiver, status, error -> 1, or 0 when somebody else has dealt with it
local id, token, status, error_text = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if token ~= '' and not holds('inbox', id, token) then return 0 end
if redis.call('HGET', payload_key(id), 'status') ~= 'received' then return 0 end
redis.call('ZREM', lane_key('inbox'), id)
redis.call('HDEL', lease_key('inbox'), id)
redis.call('HSET', payload_key(id), 'since', now)
if error_text ~= '' then redis.call('HSET', payload_key(id), 'error', error_text) end
set_payload_status(id, status)
count('in:' .. status)
return 1
