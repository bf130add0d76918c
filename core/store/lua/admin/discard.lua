-- Give up on purpose; of conversations, one that was delivered nowhere -> 1, 0: no such thing, or -1: in use or settled
--- args: now, id, kind, reason, by
--- uses: keys, status, decide, regive, names
if kind == Kind.PAYLOAD then
  local status = redis.call('HGET', payload_key(id), 'status')
  if not status then return 0 end
  if status ~= PayloadStatus.QUARANTINED then return -1 end
  redis.call('HSET', payload_key(id), 'error', reason, 'since', now)
  set_payload_status(id, PayloadStatus.DISCARDED)
  return 1
end
if kind == Kind.CONVERSATION then return discard_undelivered(id, reason) end
if redis.call('EXISTS', delivery_key(id)) == 0 then id = id_now(id) end
return discard(id, reason, by)
