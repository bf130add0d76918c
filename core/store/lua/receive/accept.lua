-- Keep a body (as it is to be kept) and give it its place in the inbox, or say that it is known.
-- `holder`: whoever brings it works on a catch-up, under this token; '': nobody does.
-- -> {id, known, wake up}, or {}: that one has lost the lease
--- args: now, id, body, digest, account, content_type, size:number, origin, only, holder
--- uses: time, keys, marks, counts
if holder ~= '' and redis.call('GET', PREFIX .. 'catching-up') ~= holder then return {} end
local known = redis.call('GET', PREFIX .. 'body:' .. digest)
if known == id then return {id, 0, want_wake_up(INBOX)} end -- the first reply was lost on its way
if known then
  redis.call('HINCRBY', payload_key(known), 'duplicates', 1)
  count('in:' .. Counted.DUPLICATE)
  return {known, 1, 0}
end
redis.call('SET', PREFIX .. 'body:' .. digest, id)
redis.call('SET', PREFIX .. 'raw:' .. id, body)
redis.call('HSET', payload_key(id), 'received', now, 'sequence', redis.call('INCR', PREFIX .. 'sequence'),
  'account', account, 'type', content_type, 'size', size, 'digest', digest, 'status', PayloadStatus.RECEIVED,
  unpack(origin ~= '' and {'origin', origin} or {}))
if only ~= '' then redis.call('HSET', payload_key(id), 'only', only) end
redis.call('ZADD', PREFIX .. 'payloads:' .. PayloadStatus.RECEIVED, now, id)
redis.call('ZADD', lane_key(INBOX), now, id)
count('in:' .. Counted.ACCEPTED)
return {id, 0, want_wake_up(INBOX)}
