-- Items on which a process died.
--- args: now
--- uses: time, keys, counts, attempts, status, causes

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

-- The next try of an item on which so many have died. -> ms until then
local function hold_off(lane, key, id, crashes)
  local wait = math.min(LONGEST_CRASH_WAIT_MS, FIRST_CRASH_WAIT_MS * 2 ^ math.max(0, crashes - SLOW_CRASHES))
  redis.call('HSET', key, 'error', 'the process that worked on it died ' .. crashes
    .. ' times; it is tried in a process of its own, every hour at least')
  redis.call('ZADD', lane_key(lane), now + wait, id)
  return wait
end

-- Give an item up that has ended so many processes of its own.
local function mark_dead(lane, key, id, alone)
  redis.call('ZREM', lane_key(lane), id)
  redis.call('HSET', key, 'error', 'it ended its process ' .. alone .. ' times, alone in it each time')
  if lane == INBOX then
    set_payload_status(id, PayloadStatus.QUARANTINED)
    count('in:' .. PayloadStatus.QUARANTINED)
  else
    set_delivery_status(id, DeliveryStatus.DEAD)
    note_cause(id, lane, CRASHED_CAUSE, '', now)
    count('out:' .. lane .. ':' .. Counted.KILLED)
  end
end
