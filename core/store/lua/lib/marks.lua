-- Marks: keys that say something for as long as they stand.

-- Whether a mark that was set for `ms` still stands. One with longer to go is from before the clock was put back.
local function stands(name, ms)
  local left = redis.call('PTTL', PREFIX .. name)
  return left > 0 and left <= ms
end

-- One wake-up that nobody has answered yet is enough: 1 when the caller should send one. Should it be lost, the tick
-- sends the next.
local function want_wake_up(lane)
  if stands('knock:' .. lane, WAKE_UP_MS) then return 0 end
  redis.call('SET', PREFIX .. 'knock:' .. lane, '1', 'PX', WAKE_UP_MS)
  return 1
end
