-- A notice was sent, or was not -> ms until the next try, 0 when it was sent, or -1: somebody else has it by now
--- args: now, channel, token, notice, sent:flag
--- uses: time
local list, state = PREFIX .. 'notices:' .. channel, PREFIX .. 'sending:' .. channel
if redis.call('HGET', state, 'token') ~= token then return -1 end
if sent then
  redis.call('LREM', list, 1, notice)
  redis.call('DEL', state)
  return 0
end
local wait = math.min(LONGEST_NOTICE_RETRY_MS, NOTICE_RETRY_MS * 2 ^ redis.call('HINCRBY', state, 'tries', 1))
redis.call('HDEL', state, 'token')
redis.call('HSET', state, 'due', now + wait)
return wait
