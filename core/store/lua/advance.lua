-- Do the next part of a bulk job, unless somebody else has. now, job, cursor before, cursor after, finished or '',
-- how many were looked at, how many matched, the status that they are to have or '', then deliveries -> lanes to knock
-- on, or false: not its turn
local job, before, after, finished, status = P .. 'job:' .. ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[8]
local got = redis.call('HMGET', job, 'cursor', 'kind', 'reason', 'by', 'finished')
if got[1] ~= before or got[5] then return false end
local done, knocks = 0, {}
for i = 9, #ARGV do
  local id = ARGV[i]
  local of = redis.call('HMGET', delivery_key(id), 'connector', 'status')
  local connector = of[1]
  -- Somebody may have dealt with it since it was found.
  if connector and (status == '' or of[2] == status) then
    if got[2] == 'discard' then
      if discard(id, got[3], got[4]) == 1 then done = done + 1 end
    else
      again(id, connector)
      done = done + 1
      if want_knock(connector) == 1 then knocks[#knocks + 1] = connector end
    end
  end
end
redis.call('HSET', job, 'cursor', after)
redis.call('HINCRBY', job, 'seen', ARGV[6])
redis.call('HINCRBY', job, 'found', ARGV[7])
redis.call('HINCRBY', job, 'done', done)
if finished ~= '' then
  redis.call('HSET', job, 'finished', now)
  redis.call('SREM', P .. 'jobs:open', ARGV[2])
end
return knocks
