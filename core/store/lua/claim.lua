-- Lease the item of a lane that is longest due: nobody else gets it until the lease runs out.
-- now, lane, token, lease in ms, crashes that are too many, how, at once at most or '', requests a second or ''
-- -> {} when nothing is due or may be done now, or
-- {id, crashes, more, fields, fields of the payload, body, revision, steps, payload}
-- How: 'answer' a knock, which may be followed by another; 'stay' when nothing is due, so that nobody needs to knock;
-- 'leave' when nothing is due, so that somebody must.
local lane, token, lease, fatal, how = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local at_once, rate = tonumber(ARGV[7]), tonumber(ARGV[8])
local inbox = lane == 'inbox'
local gate = P .. 'gate:' .. lane
-- One may go ahead of the others, to see whether things are right again.
local ahead = may_go_ahead(lane)
if not ahead and redis.call('EXISTS', gate) == 1 then return {} end
if how == 'answer' then redis.call('DEL', P .. 'knock:' .. lane) end
local settling = redis.call('EXISTS', P .. 'settling') == 1

local function idle()
  if how == 'stay' then want_knock(lane) else redis.call('DEL', P .. 'knock:' .. lane) end
  return {}
end

if at_once and busy(lane, at_once) or not paced(lane, rate) then return idle() end

while true do
  local id = redis.call('ZRANGEBYSCORE', lane_key(lane), '-inf', now, 'LIMIT', 0, 1)[1]
  if not id then return idle() end
  local key = inbox and payload_key(id) or delivery_key(id)
  local crashes = tonumber(redis.call('HGET', key, 'crashes') or '0')
  local alive = redis.call('EXISTS', key) == 1
  local leased = redis.call('HEXISTS', lease_key(lane), id) == 1
  local wait = leased and settling and alive
  if leased and alive and not settling then
    -- Due and still leased: whoever had it never came back.
    redis.call('HDEL', lease_key(lane), id)
    crashes = redis.call('HINCRBY', key, 'crashes', 1)
    if not inbox then
      count('out:' .. lane .. ':crashed')
      log_attempt(id, cjson.encode({at = now, ms = 0, outcome = 'crashed', revision = 0,
        error = 'the process that worked on it died, or was cut off, during try ' .. crashes}))
    end
  end
  if wait then
    -- It was the server that was away, not the holder: let him renew.
    redis.call('ZADD', lane_key(lane), now + 1000, id)
  elseif not alive then
    redis.call('ZREM', lane_key(lane), id)
    redis.call('HDEL', lease_key(lane), id)
  elseif crashes >= fatal then
    local why = 'the process that worked on it died ' .. crashes .. ' times'
    redis.call('ZREM', lane_key(lane), id)
    redis.call('HSET', key, 'error', why)
    if inbox then
      set_payload_status(id, 'quarantined')
      count('in:quarantined')
    else
      set_delivery_status(id, 'dead')
      count('out:' .. lane .. ':killed')
    end
  else
    if ahead then
      redis.call('HDEL', gate, 'ahead')
      redis.call('HSET', gate, 'probe', token)
      -- Should it never come back, another one goes.
      if redis.call('HEXISTS', gate, 'until') == 1 then redis.call('HSET', gate, 'until', now + PROBE_MS) end
    end
    if rate then charge(lane, 1) end
    redis.call('HSET', lease_key(lane), id, token)
    redis.call('ZADD', lane_key(lane), now + lease, id)
    local more = 0
    if redis.call('ZRANGEBYSCORE', lane_key(lane), '-inf', now, 'LIMIT', 0, 1)[1] then more = want_knock(lane) end
    local payload, revision, steps = id, 0, {}
    if not inbox then
      local revisions = P .. 'revisions:' .. redis.call('HGET', key, 'conversation')
      payload = redis.call('ZREVRANGE', revisions, 0, 0)[1]
      revision = redis.call('ZCARD', revisions)
      redis.call('HDEL', key, 'again') -- what was asked for meanwhile is taken along
      steps = redis.call('HGETALL', P .. 'steps:' .. id)
    end
    return {id, crashes, more, redis.call('HGETALL', key), redis.call('HGETALL', payload_key(payload)),
      redis.call('GET', P .. 'raw:' .. payload), revision, steps, payload}
  end
end
