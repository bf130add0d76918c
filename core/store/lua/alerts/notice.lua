-- Lease a channel's oldest notice: nobody else sends meanwhile. now, channel, token, lease in ms, ms that one is kept
-- -> the notice as JSON, or false: there is none, somebody is at it, or the next try is later
local list, state = P .. 'notices:' .. ARGV[2], P .. 'sending:' .. ARGV[2]
if tonumber(redis.call('HGET', state, 'due') or 0) > now then return false end
while true do
  local notice = redis.call('LINDEX', list, 0)
  if not notice then
    redis.call('DEL', state)
    return false
  end
  if now - cjson.decode(notice).at <= tonumber(ARGV[5]) then
    redis.call('HSET', state, 'token', ARGV[3], 'due', now + ARGV[4])
    return notice
  end
  redis.call('LPOP', list)
end
