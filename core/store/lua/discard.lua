-- Give up on purpose. now, id, 'delivery' or 'payload', reason, by -> 1, 0: no such thing, or -1: in use or settled
local id, kind, reason, by = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if kind == 'payload' then
  local status = redis.call('HGET', payload_key(id), 'status')
  if not status then return 0 end
  if status ~= 'quarantined' then return -1 end
  redis.call('HSET', payload_key(id), 'error', reason, 'since', now)
  set_payload_status(id, 'discarded')
  return 1
end
return discard(id, reason, by)
