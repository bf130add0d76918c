-- Keep a body and give it its place in the inbox, or say that it is known.
-- now, id, body as it is kept, digest, account, content type, size -> {status, id, knock}
local id, body, digest, account, content_type, size = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local known = redis.call('GET', P .. 'body:' .. digest)
if known == id then return {'accepted', id, want_knock('inbox')} end -- the first reply was lost on its way
if known then
  redis.call('HINCRBY', payload_key(known), 'duplicates', 1)
  count('in:duplicate')
  return {'duplicate', known, 0}
end
redis.call('SET', P .. 'body:' .. digest, id)
redis.call('SET', P .. 'raw:' .. id, body)
redis.call('HSET', payload_key(id), 'received', now, 'sequence', redis.call('INCR', P .. 'sequence'),
  'account', account, 'type', content_type, 'size', size, 'digest', digest, 'status', 'received')
redis.call('ZADD', P .. 'payloads:received', now, id)
redis.call('ZADD', lane_key('inbox'), now, id)
count('in:accepted')
return {'accepted', id, want_knock('inbox')}
