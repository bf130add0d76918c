-- Do it again: a delivery is due now with a fresh series of tries, a body goes back to the inbox.
-- now, id, 'delivery' or 'payload' -> {lane, knock}, or {} when there is no such thing
local id, kind = ARGV[2], ARGV[3]
if kind == 'payload' then
  if redis.call('EXISTS', payload_key(id)) == 0 then return {} end
  if redis.call('HEXISTS', lease_key('inbox'), id) == 1 then return {'inbox', 0} end -- it is being read
  redis.call('HDEL', payload_key(id), 'error', 'crashes')
  set_payload_status(id, 'received')
  redis.call('ZADD', lane_key('inbox'), now, id)
  return {'inbox', want_knock('inbox')}
end
local connector = redis.call('HGET', delivery_key(id), 'connector')
if not connector then return {} end
if again(id, connector) then return {connector, want_knock(connector)} end
return {connector, 0}
