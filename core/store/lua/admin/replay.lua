-- Do it again: a delivery is due now with a fresh series of tries, a body goes back to the inbox.
-- -> {lane, wake up}, or {} when there is no such thing
--- args: now, id, kind
--- uses: keys, marks, status, decide, names
if kind == Kind.PAYLOAD then
  if redis.call('EXISTS', payload_key(id)) == 0 then return {} end
  if redis.call('HEXISTS', lease_key(INBOX), id) == 1 then return {INBOX, 0} end -- it is being read
  start_anew(payload_key(id))
  set_payload_status(id, PayloadStatus.RECEIVED)
  redis.call('ZADD', lane_key(INBOX), now, id)
  return {INBOX, want_wake_up(INBOX)}
end
if redis.call('EXISTS', delivery_key(id)) == 0 then id = id_now(id) end
local connector = redis.call('HGET', delivery_key(id), 'connector')
if not connector then return {} end
if again(id, connector) then return {connector, want_wake_up(connector)} end
return {connector, 0}
