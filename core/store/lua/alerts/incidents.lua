-- What is wrong now, against what was: writes a notice for what begins and one for what is over, once for all who look.
-- calm in ms (that long not seen: over), anew in ms (so long after a notice, what happened since is told), notices at
-- most of a channel, troubles as JSON -> notices written
--- args: now, calm:number, anew:number, most:number, channels..., troubles...
--- uses: time
local key, seen, written = PREFIX .. 'incidents', {}, 0

local function tell(event, id, incident)
  local notice = cjson.encode({
    id = redis.sha1hex(id .. ' ' .. incident.began .. ' ' .. incident.told .. ' ' .. event),
    event = event, kind = incident.kind, subject = incident.subject, count = incident.count, error = incident.error,
    since = incident.since, at = now,
  })
  for _, channel in ipairs(channels) do
    redis.call('RPUSH', PREFIX .. 'notices:' .. channel, notice)
    redis.call('LTRIM', PREFIX .. 'notices:' .. channel, -most, -1)
    written = written + 1
  end
end

for _, json in ipairs(troubles) do
  local trouble = cjson.decode(json)
  local id = trouble.kind .. ':' .. trouble.subject
  local known = redis.call('HGET', key, id)
  local incident = known and cjson.decode(known)
    or {kind = trouble.kind, subject = trouble.subject, since = trouble.since, began = now, told = 0}
  incident.count, incident.error, incident.seen = trouble.count, trouble.error, now
  -- `newest` as it was told; earlier versions did not keep it.
  local again = incident.told > 0 and now >= incident.told + anew
    and trouble.newest > (incident.newest or incident.told)
  if again then incident.since = trouble.newest end
  if again or (incident.told == 0 and now - incident.began >= trouble.patience) then
    incident.told, incident.newest = now, trouble.newest
    tell('begun', id, incident)
  end
  redis.call('HSET', key, id, cjson.encode(incident))
  seen[id] = true
end

local all = redis.call('HGETALL', key)
for i = 1, #all, 2 do
  local id, incident = all[i], cjson.decode(all[i + 1])
  if not seen[id] and (incident.told == 0 or now - incident.seen >= calm) then
    if incident.told > 0 then tell('over', id, incident) end
    redis.call('HDEL', key, id)
  end
end
return written
