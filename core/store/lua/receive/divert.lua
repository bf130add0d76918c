-- Take a body that holds no conversation out of the inbox; without a token it is the receiver that does.
-- -> 1, or 0 when somebody else has dealt with it
--- args: now, id, token, status, reason
--- uses: time, keys, lease, status, counts
if token ~= '' and not holds(INBOX, id, token) then return 0 end
if redis.call('HGET', payload_key(id), 'status') ~= PayloadStatus.RECEIVED then return 0 end
redis.call('ZREM', lane_key(INBOX), id)
redis.call('HDEL', lease_key(INBOX), id)
redis.call('HSET', payload_key(id), 'since', now)
if reason ~= '' then redis.call('HSET', payload_key(id), 'error', reason) end
set_payload_status(id, status)
count('in:' .. status)
return 1
