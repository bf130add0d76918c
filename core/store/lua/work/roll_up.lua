-- Add up the hours of days (UTC, counted since 1970) that are over, from `first` to the one before `before`: what a
-- worker's chores do, in order, so that a day that is not past `rolled-days` is to be read by its hours.
--- args: now, first:number, before:number
--- uses: time
for day = first, before - 1 do
  local key, sums = PREFIX .. 'count:day:' .. day, {}
  for hour = day * 24, day * 24 + 23 do
    local got = redis.call('HGETALL', PREFIX .. 'count:hour:' .. hour)
    for i = 1, #got, 2 do sums[got[i]] = (sums[got[i]] or 0) + tonumber(got[i + 1]) end
  end
  local left = (day + 1) * 86400000 + DAY_KEPT_MS - now
  if next(sums) and left > 0 then
    -- One that was added up too early, by a clock that was ahead, has less than its hours; one of which hours are gone
    -- has more.
    for field, value in pairs(sums) do
      if value > tonumber(redis.call('HGET', key, field) or 0) then
        redis.call('HSET', key, field, string.format('%.0f', value))
      end
    end
    redis.call('PEXPIRE', key, left)
  end
end
redis.call('SET', PREFIX .. 'rolled-days', before - 1)
return 1
