-- A connector's own limits: how many at once, how many a second and a day, and what 429s and time-outs ask for (docs/adr/0006).
--- args: now
--- uses: time, keys

-- How many of a lane are at work. Leases that ran out are nobody's work.
local function at_work(lane)
  local alive = 0
  for _, id in ipairs(redis.call('HKEYS', lease_key(lane))) do
    if tonumber(redis.call('ZSCORE', lane_key(lane), id) or 0) > now then alive = alive + 1 end
  end
  return alive
end

-- Whether a lane has as many at work as it may.
local function busy(lane, at_once)
  return redis.call('HLEN', lease_key(lane)) >= at_once and at_work(lane) >= at_once
end

-- Whether a day has requests left, besides those that deliveries at work will take. It is over at `day_over`, or a day
-- after that by the clock of a worker who is late. One that has begun ends as it began, unless a clock was set back.
local function affords(lane, per_day, day_over)
  local pace = PREFIX .. 'pace:' .. lane
  local got = redis.call('HMGET', pace, 'day', 'spent', 'made', 'used_up')
  local over, spent, made = tonumber(got[1]), tonumber(got[2] or 0), tonumber(got[3] or 0)
  if not per_day then
    if over then redis.call('HDEL', pace, 'day', 'spent', 'made', 'used_up') end
    return true
  end
  if not over or over <= now or over - now > LONGEST_DAY_MS then
    if day_over <= now then day_over = day_over + math.ceil((now - day_over + 1) / WHOLE_DAY_MS) * WHOLE_DAY_MS end
    redis.call('HDEL', pace, 'made', 'used_up')
    redis.call('HSET', pace, 'day', math.min(day_over, now + LONGEST_DAY_MS), 'spent', 0)
    return true
  end
  if spent >= per_day then
    if not got[4] then redis.call('HSET', pace, 'used_up', over) end
    return false
  end
  if got[4] then redis.call('HDEL', pace, 'used_up') end
  local each = made > 0 and spent / made or FIRST_GUESS
  return spent + redis.call('HLEN', lease_key(lane)) * each < per_day or spent + at_work(lane) * each < per_day
end

-- The pace of a lane: a bucket of requests for one second, filled at the rate, which a 429 divides by `slow` for a
-- while. Returns whether a delivery may begin, and how many requests it pays in advance: as many as one took of late,
-- or at first a guess. `rate` is nil where there is none; then only what the vendor says holds it back.
-- A clock that was set back only means that nothing is refilled this time, and no hold is longer than the longest.
-- `at_once` are its places, or nil; of these, time-outs leave `wide`.
local function paced(lane, limits)
  local rate, at_once = limits.rate, limits.at_once
  local got = redis.call('HMGET', PREFIX .. 'pace:' .. lane, 'hold', 'tokens', 'at', 'slow', 'mean', 'wide')
  if got[6] then at_once = math.min(at_once or math.huge, math.max(1, math.floor(got[6]))) end
  if at_once and busy(lane, at_once) then return false end
  local left = tonumber(got[1] or now) - now
  if left > 0 and left <= LONGEST_HOLD_MS then return false end
  if not affords(lane, limits.per_day, limits.day_over) then return false end
  if not rate then
    -- There is nothing to divide. One that had a rate may have some of this left.
    if got[2] then redis.call('HDEL', PREFIX .. 'pace:' .. lane, 'tokens', 'at', 'slow', 'slowed', 'mean') end
    return true, 0
  end
  rate = rate / tonumber(got[4] or 1)
  local full, price = math.max(1, rate), math.max(1, tonumber(got[5] or FIRST_GUESS))
  local tokens = math.min(full, tonumber(got[2] or full) + math.max(0, now - tonumber(got[3] or now)) / 1000 * rate)
  redis.call('HSET', PREFIX .. 'pace:' .. lane, 'tokens', tokens, 'at', now)
  return tokens >= math.min(price, full), price
end

local function charge(lane, requests)
  redis.call('HINCRBYFLOAT', PREFIX .. 'pace:' .. lane, 'tokens', -requests)
end

-- Who answers too late has more to do than it can: half as many at once as there were, and as each of these arrives a
-- little more. What began before that is no further reason.
local function settle_width(connector, wide, full, narrowed, late, arrived)
  local pace = PREFIX .. 'pace:' .. connector
  if late > 0 then
    local at_work = redis.call('HLEN', lease_key(connector)) + 1
    if math.abs(now - tonumber(narrowed or 0)) < late or at_work < 2 then return end
    redis.call('HSET', pace, 'wide', math.max(1, math.floor(math.min(tonumber(wide or at_work), at_work) / 2)),
      'full', math.max(at_work, tonumber(full or 0)), 'narrowed', now)
  elseif arrived and wide then
    wide = tonumber(wide) + 1 / tonumber(wide)
    if wide < tonumber(full) then
      redis.call('HSET', pace, 'wide', wide)
    else
      redis.call('HDEL', pace, 'wide', 'full', 'narrowed')
    end
  end
end

-- An attempt has ended: how many requests it took, how many its claim paid, what a 429 asks for (ms, or false), and
-- whether it arrived, or waited in vain for so long. Without an account of requests no rate could be divided.
local function settle_pace(connector, requests, paid, wait, arrived, late)
  local pace = PREFIX .. 'pace:' .. connector
  local got = redis.call('HMGET', pace, 'tokens', 'slow', 'slowed', 'mean', 'wide', 'full', 'narrowed', 'day')
  if got[8] and requests > 0 then
    redis.call('HINCRBY', pace, 'spent', requests)
    redis.call('HINCRBY', pace, 'made', 1)
  end
  if late > 0 or got[5] then settle_width(connector, got[5], got[6], got[7], late, arrived) end
  if got[1] then
    if requests ~= paid then charge(connector, requests - paid) end
    -- What was left out unasked says nothing of what a delivery takes.
    if requests > 0 then
      redis.call('HSET', pace, 'mean', got[4] and 0.9 * got[4] + 0.1 * requests or requests)
    end
  end
  local slow = tonumber(got[2] or 1)
  if wait then
    redis.call('HSET', pace, 'hold', now + math.min(wait, LONGEST_HOLD_MS))
    if not got[1] then return end
    -- What is in flight at once hears of it at once: that is one reason to slow down, not sixteen.
    if math.abs(now - tonumber(got[3] or 0)) >= 1000 then slow = math.min(64, slow * 2) end
    redis.call('HSET', pace, 'slow', slow, 'slowed', now)
  elseif arrived and slow > 1 then
    slow = slow * 0.98
    if slow > 1.02 then
      redis.call('HSET', pace, 'slow', slow)
    else
      redis.call('HDEL', pace, 'slow', 'slowed', 'hold')
    end
  end
end
