-- One clock for all machines: the server's. Tests bring their own.
--- args: now
if now == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
else
  now = tonumber(now)
end
