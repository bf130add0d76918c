-- A notice was sent, or was not. now, channel, token, the notice, '1' when it was sent -> ms until the next try, 0 when
-- it was sent, or -1: somebody else has it by now
local list, state = P .. 'notices:' .. ARGV[2], P .. 'sending:' .. ARGV[2]
if redis.call('HGET', state, 'token') ~= ARGV[3] then return -1 end
if ARGV[5] == '1' then
  redis.call('LREM', list, 1, ARGV[4])
  redis.call('DEL', state)
  return 0
end
local wait = math.min(3600000, 15000 * 2 ^ redis.call('HINCRBY', state, 'tries', 1))
redis.call('HDEL', state, 'token')
redis.call('HSET', state, 'due', now + wait)
return wait
