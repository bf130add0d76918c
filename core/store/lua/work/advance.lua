-- Do the next part of a bulk job, unless somebody else has: of the next deliveries those that have the status ('' for
-- any); and of conversations what is planned for each, as JSON (backfill.py). The keys of the job and of the set of open
-- ones, the cursor before and after, whether that is the end, how many were looked at and how many matched.
-- -> lanes to wake, or false: not its turn
--- args: now, job, open, id, before, after, last:flag, looked:number, matched:number, status, plans..., deliveries...
--- uses: keys, marks, decide, regive, names
local got = redis.call('HMGET', job, 'cursor', 'kind', 'reason', 'by', 'finished')
if got[1] ~= before or got[5] then return false end
local done, woken = 0, {}
for _, json in ipairs(plans) do
  local plan = cjson.decode(json)
  if got[2] == 'discard' then
    if discard_undelivered(plan.conversation, got[3]) == 1 then done = done + 1 end
  else
    done = done + give_to(plan.conversation, plan.why, plan.repeated, plan.connectors, woken, id)
  end
end
for _, one in ipairs(deliveries) do
  if redis.call('EXISTS', delivery_key(one)) == 0 then one = id_now(one) end
  local of = redis.call('HMGET', delivery_key(one), 'connector', 'status')
  local connector = of[1]
  -- Somebody may have dealt with it since it was found.
  if connector and (status == '' or of[2] == status) then
    if got[2] == 'discard' then
      if discard(one, got[3], got[4]) == 1 then
        redis.call('HSET', delivery_key(one), 'job', id)
        done = done + 1
      end
    else
      again(one, connector)
      redis.call('HSET', delivery_key(one), 'job', id)
      done = done + 1
      if want_wake_up(connector) == 1 then woken[#woken + 1] = connector end
    end
  end
end
redis.call('HSET', job, 'cursor', after)
redis.call('HINCRBY', job, 'seen', looked)
redis.call('HINCRBY', job, 'found', matched)
redis.call('HINCRBY', job, 'done', done)
if last then
  redis.call('HSET', job, 'finished', now)
  redis.call('SREM', open, id)
end
return woken
