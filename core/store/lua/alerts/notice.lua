-- Lease a channel's oldest notice: nobody else sends meanwhile. lease in ms, ms that one is kept
-- -> the notice as JSON, or false: there is none, somebody is at it, or the next try is later
--- args: now, channel, token, lease:number, kept:number
--- uses: time
local list, state = PREFIX .. 'notices:' .. channel, PREFIX .. 'sending:' .. channel
if tonumber(redis.call('HGET', state, 'due') or 0) > now then return false end
while true do
  local notice = redis.call('LINDEX', list, 0)
  if not notice then
    redis.call('DEL', state)
    return false
  end
  if now - cjson.decode(notice).at <= kept then
    redis.call('HSET', state, 'token', token, 'due', now + lease)
    return notice
  end
  redis.call('LPOP', list)
end
