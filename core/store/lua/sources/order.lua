-- A chat is to be fetched when nothing more was heard of it for `wait` ms, but `at_most` after the first. A body in the
-- inbox that said so has then done its work, and goes in the same step; without a token there is none.
-- `known_only`: only if it is kept, or to be fetched anyhow. `began`: it is looked for by that time, as its id is the
-- hook's.
-- -> {-1: the lease of the body was lost, 0: nothing is to be fetched, 1: it is; wake up}
--- args: now, payload, token, conversation, lane, wait:number, at_most:number, began:number?, known_only:flag
--- uses: time, keys, marks, lease, drop, counts, orders
if token ~= '' and not holds(INBOX, payload, token) then return {-1, 0} end
local key, wake = order_key(conversation), 0
local ordered = not known_only or redis.call('EXISTS', key) == 1
  or redis.call('EXISTS', PREFIX .. 'revisions:' .. conversation, PREFIX .. 'other-id:' .. conversation) > 0
if ordered then
  -- The account has another name now: what waits under the old one would be fetched by nobody, or twice.
  local before = redis.call('HGET', key, 'lane')
  if before and before ~= lane then leave_lane(before, conversation) end
  redis.call('SADD', PREFIX .. 'source-lanes', lane)
  redis.call('HSETNX', key, 'asked', now)
  redis.call('HSET', key, 'lane', lane, 'wait', wait)
  if began then redis.call('HSET', key, 'began', began) end
  if not known_only then redis.call('HSET', key, 'ends', 1) end
  local due = math.min(now + wait, math.max(now, redis.call('HGET', key, 'asked') + at_most))
  if redis.call('HEXISTS', lease_key(lane), conversation) == 1 then
    -- What is being fetched may be older than what was heard of now.
    redis.call('HSET', key, 'again', due)
  else
    redis.call('HDEL', key, 'tries', 'error', 'looks')
    redis.call('ZADD', lane_key(lane), due, conversation)
    if due <= now then wake = want_wake_up(lane) end
  end
end
if token ~= '' then
  drop_payload(payload)
  count('in:' .. PayloadStatus.SET_ASIDE)
end
return {ordered and 1 or 0, wake}
