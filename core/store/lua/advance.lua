-- Do the next part of a bulk job, unless somebody else has. now, job, cursor before, cursor after, finished or '',
-- how many were seen, then deliveries -> lanes to knock on, or false: not its turn
local job, before, after, finished = P .. 'job:' .. ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local got = redis.call('HMGET', job, 'cursor', 'kind', 'reason', 'by', 'finished')
if got[1] ~= before or got[5] then return false end
local done, knocks = 0, {}
for i = 7, #ARGV do
  local id = ARGV[i]
  local connector = redis.call('HGET', delivery_key(id), 'connector')
  if connector and got[2] == 'discard' then
    if discard(id, got[3], got[4]) == 1 then done = done + 1 end
  elseif connector then
    again(id, connector)
    done = done + 1
    if want_knock(connector) == 1 then knocks[#knocks + 1] = connector end
  end
end
redis.call('HSET', job, 'cursor', after)
redis.call('HINCRBY', job, 'seen', ARGV[6])
redis.call('HINCRBY', job, 'done', done)
if finished ~= '' then
  redis.call('HSET', job, 'finished', now)
  redis.call('SREM', P .. 'jobs:open', ARGV[2])
end
return knocks
