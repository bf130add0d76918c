-- Items on which a process died.
--- args: now
--- uses: time, keys, counts, attempts, status

-- Whoever worked on an item is gone. -> how often that was so
local function crashed(lane, key, id)
  redis.call('HDEL', lease_key(lane), id)
  local crashes = redis.call('HINCRBY', key, 'crashes', 1)
  if lane ~= INBOX then
    count('out:' .. lane .. ':' .. Outcome.CRASHED)
    log_attempt(id, cjson.encode({at = now, ms = 0, outcome = Outcome.CRASHED, revision = 0,
      error = 'the process that worked on it died, or was cut off, during try ' .. crashes}))
  end
  return crashes
end

-- Give an item up that is to blame for so many crashes.
local function mark_dead(lane, key, id, crashes)
  local again = redis.call('HGET', key, 'again')
  redis.call('ZREM', lane_key(lane), id)
  redis.call('HSET', key, 'error', 'the process that worked on it died ' .. crashes .. ' times')
  if lane == INBOX then
    set_payload_status(id, PayloadStatus.QUARANTINED)
    count('in:' .. PayloadStatus.QUARANTINED)
  else
    set_delivery_status(id, DeliveryStatus.DEAD)
    count('out:' .. lane .. ':' .. Counted.KILLED)
    -- What was asked for during the last of those tries is new work.
    if again then make_due(id, lane) end
  end
end
