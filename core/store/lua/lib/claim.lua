-- Leasing what is due.
--- args: now
--- uses: time, keys, marks, lease, gate, pace, crash, epoch

-- What is due waits for the connector's own limits, or for its vendor, whom more workers could not help. A mark says so
-- for as long as that goes on, and a little longer.
local function mark_limited(lane)
  local mark = PREFIX .. 'limited:' .. lane
  local left = redis.call('PTTL', mark)
  if left > LIMITED_MS / 2 and left <= LIMITED_MS then return end
  if redis.call('ZCOUNT', lane_key(lane), '-inf', now) > 0 then redis.call('SET', mark, '1', 'PX', LIMITED_MS) end
end

-- Lease the item of a lane that is longest due: nobody else gets it until the lease runs out. -> {} when nothing is due
-- or may be done now, or {id, crashes, more, fields, fields of the payload, body, revision, steps, payload}; of a body
-- the fields are those of the payload, once. `more`: 1 when another one is due.
-- `limits`: at_once, rate, per_day, day_over, as far as there are any.
-- How: 'answer' a wake-up, which may be followed by another; 'stay' when nothing is due, so that none is needed;
-- 'leave' when nothing is due, so that one is.
local function take_next(lane, token, how, limits)
  local inbox = lane == INBOX
  local gate, ahead = PREFIX .. 'gate:' .. lane, false
  if not inbox then
    local closed = redis.call('HMGET', gate, 'since', 'ahead', 'until')
    -- One may go ahead of the others, to see whether things are right again.
    ahead = closed[1] and opens(closed[2], closed[3])
    if closed[1] and not ahead then return {} end
    -- What is here is to be moved: under its new name, too, one delivery at a time looks for a person.
    if redis.call('HEXISTS', PREFIX .. 'renamed', lane) == 1 then return {} end
  end
  if how == How.ANSWER then redis.call('DEL', PREFIX .. 'knock:' .. lane) end

  local function idle()
    if how == How.STAY then want_wake_up(lane) else redis.call('DEL', PREFIX .. 'knock:' .. lane) end
    return {}
  end

  local free, price = true, 0
  if not inbox then free, price = paced(lane, limits) end
  if not free then
    mark_limited(lane)
    return idle()
  end

  while true do
    -- The one after it says whether there is more.
    local due = redis.call('ZRANGEBYSCORE', lane_key(lane), '-inf', now, 'LIMIT', 0, 2)
    local id = due[1]
    if not id then return idle() end
    local key = inbox and payload_key(id) or delivery_key(id)
    local fields = redis.call('HGETALL', key)
    local alive, own = #fields > 0, {}
    for i = 1, #fields, 2 do own[fields[i]] = fields[i + 1] end
    local crashes = tonumber(own.crashes or 0)
    local leased = alive and redis.call('HEXISTS', lease_key(lane), id) == 1
    local wait = leased and unsettled()
    if leased and not wait then
      -- Due and still leased: whoever had it never came back.
      crashes = crashed(lane, key, id)
    end
    if leased and not wait and crashes >= SLOW_CRASHES then
      hold_off(lane, key, id, crashes)
    elseif wait then
      -- It was the server that was away, not the holder: let him renew.
      redis.call('ZADD', lane_key(lane), now + SETTLING_MS, id)
    elseif not alive then
      redis.call('ZREM', lane_key(lane), id)
      redis.call('HDEL', lease_key(lane), id)
    else
      if ahead then
        redis.call('HDEL', gate, 'ahead')
        redis.call('HSET', gate, 'probe', token)
        -- Should it never come back, another one goes.
        if redis.call('HEXISTS', gate, 'until') == 1 then redis.call('HSET', gate, 'until', now + PROBE_MS) end
      end
      if price > 0 then
        charge(lane, price)
        fields[#fields + 1], fields[#fields + 2] = 'paid', tostring(price)
      end
      redis.call('HSET', lease_key(lane), id, token)
      redis.call('ZADD', lane_key(lane), now + LEASE_MS, id)
      local more = due[2] and 1 or 0
      if inbox then return {id, crashes, more, {}, fields, redis.call('GET', PREFIX .. 'raw:' .. id), 0, {}, id} end
      local revisions = PREFIX .. 'revisions:' .. own.conversation
      local payload = redis.call('ZREVRANGE', revisions, 0, 0)[1]
      -- What was asked for, or came, meanwhile is taken along.
      if own.again or own.quiet_until then redis.call('HDEL', key, 'again', 'quiet_until', 'quiet_since') end
      local steps, number = redis.call('HGETALL', PREFIX .. 'steps:' .. id), redis.call('ZCARD', revisions)
      -- A later revision of which nothing is known may follow one that was delivered.
      if number > 1 and #steps == 0 and own.looks ~= payload then
        redis.call('HSET', key, 'looks', payload)
        own.looks = payload
      end
      local before = epoch()
      if own.late or own.looks == payload or tonumber(redis.call('ZSCORE', revisions, payload)) <= before then
        fields[#fields + 1], fields[#fields + 2] = 'unsure', '1'
      end
      return {id, crashes, more, fields, redis.call('HGETALL', payload_key(payload)),
        redis.call('GET', PREFIX .. 'raw:' .. payload), number, steps, payload}
    end
  end
end

-- The same, up to `many` of them and about BATCH_BYTES of bodies -> a list. What a process has died on comes last
-- and alone, so that it can hurt no other. `more` of the last one: 1 when another worker should be woken.
local function take_several(many, lane, token, how, limits)
  local found, bytes = {}, 0
  repeat
    local one = take_next(lane, token, how, limits)
    if not one[1] then break end
    found[#found + 1] = one
    bytes = bytes + #(one[6] or '')
    how = How.STAY
    local on = #found < many and one[3] == 1 and one[2] == 0 and bytes < BATCH_BYTES
    if on then one[3] = 0 elseif one[3] == 1 then one[3] = want_wake_up(lane) end
  until not on
  return found
end
