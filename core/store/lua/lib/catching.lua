-- Whether a catch-up goes on, and the process that says so holds the lease. Without a token it is an admin's word.
local function catches_up(token, id)
  local got = redis.call('HMGET', PREFIX .. 'catch-up:' .. id, 'kind', 'finished')
  return got[1] and not got[2] and (token == '' or redis.call('GET', PREFIX .. 'catching-up') == token)
end
