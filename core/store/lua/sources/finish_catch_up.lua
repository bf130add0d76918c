-- Nothing is left of a catch-up, or nothing more is wanted. `by_clock`: nobody asked for it.
-- -> 1, or 0: the lease was lost, or it is finished or forgotten
--- args: now, token, id, stopped:flag, by_clock:flag, kept:number
--- uses: time, catching
if not catches_up(token, id) then return 0 end
local key = PREFIX .. 'catch-up:' .. id
redis.call('HSET', key, 'finished', now, 'stopped', stopped and 1 or 0, 'error', '', 'hold', 0)
redis.call('PEXPIRE', key, kept)
redis.call('DEL', PREFIX .. 'catch-up-rows:' .. id)
redis.call('SREM', PREFIX .. 'catch-ups:open', id)
local got = redis.call('HMGET', key, 'kind', 'fetched', 'failed')
if got[1] == 'reconcile' and tonumber(got[2] or 0) > 0 then
  redis.call('HINCRBY', PREFIX .. 'missing', math.floor(now / WHOLE_DAY_MS), got[2])
elseif by_clock and tonumber(got[3] or 0) == 0 and not stopped then
  -- Every hour, and nothing was found: the last comparison says so.
  redis.call('LREM', PREFIX .. 'catch-ups:recent', 0, id)
end
return 1
