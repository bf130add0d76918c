-- A configuration is in force, with connectors of which some had other names. When it is adopted, what belongs to a
-- connector as a whole is renamed in this one step; deliveries follow (rename.lua). Later calls only say that it is
-- still in force. A name that nobody has called an old one for a while may be another connector's.
-- -> {old and new name of each that is renamed now...}, and {names here that are others' old ones...}
--- args: now, adopted:flag, connectors..., olds..., news...
--- uses: time
local renamed, seen = PREFIX .. 'renamed', PREFIX .. 'renamed-seen'

local function under(text, old, new)
  return string.sub(text, 1, #old + 1) == old .. ':' and new .. string.sub(text, #old + 1) or text
end

-- Two names for one gate: what an admin has decided stands.
local function rename_gate(old, new)
  local from, to = PREFIX .. 'gate:' .. old, PREFIX .. 'gate:' .. new
  if redis.call('EXISTS', from) == 0 then return end
  if redis.call('HGET', to, 'by') == Closer.ADMIN
      or redis.call('EXISTS', to) == 1 and redis.call('HGET', from, 'by') ~= Closer.ADMIN then
    redis.call('DEL', from)
    return
  end
  redis.call('RENAME', from, to)
  local caused = redis.call('HGET', to, 'caused')
  if caused then
    local ids = cjson.decode(caused)
    for i, id in ipairs(ids) do ids[i] = under(id, old, new) end
    redis.call('HSET', to, 'caused', #ids > 0 and cjson.encode(ids) or '[]')
  end
end

local function rename_state(old, new)
  rename_gate(old, new)
  for _, kind in ipairs({'pace:', 'circuit:', 'suspect:', 'gates:'}) do
    local from, to = PREFIX .. kind .. old, PREFIX .. kind .. new
    if redis.call('EXISTS', from) == 1 then redis.call('RENAME', from, to) end
  end
  -- A login is not asked for again; one that was made under the new name already stands.
  local token = PREFIX .. 'token:'
  if redis.call('EXISTS', token .. old) == 1 and redis.call('EXISTS', token .. new) == 0 then
    redis.call('RENAME', token .. old, token .. new)
  end
  local last = redis.call('HGET', PREFIX .. 'circuit:' .. new, 'last')
  if last then redis.call('HSET', PREFIX .. 'circuit:' .. new, 'last', under(last, old, new)) end
  local suspect = redis.call('GET', PREFIX .. 'suspect:' .. new)
  if suspect then redis.call('SET', PREFIX .. 'suspect:' .. new, under(suspect, old, new), 'KEEPTTL') end
  redis.call('DEL', PREFIX .. 'limited:' .. old, PREFIX .. 'knock:' .. old)
end

-- An incident that goes on is neither over nor a new one.
local function rename_incidents(old, new)
  local key = PREFIX .. 'incidents'
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local incident = cjson.decode(all[i + 1])
    if incident.subject == old then
      incident.subject = new
      redis.call('HDEL', key, all[i])
      redis.call('HSETNX', key, incident.kind .. ':' .. new, cjson.encode(incident))
    end
  end
end

-- Those of one moment are in the order of their names, which changes: the jobs look at all of that moment once more.
-- What they have done something to has moved on.
local function rename_in_jobs(old, new)
  for list, kind in pairs({['jobs:open'] = 'job:', ['backfills:open'] = 'backfill:'}) do
    for _, id in ipairs(redis.call('SMEMBERS', PREFIX .. list)) do
      local job = PREFIX .. kind .. id
      local got = redis.call('HMGET', job, 'filter', 'to', 'cursor')
      local filter = got[1] and cjson.decode(got[1]) or {}
      if filter.connector == old then
        filter.connector = new
        redis.call('HSET', job, 'filter', cjson.encode(filter))
      end
      if got[2] == old then redis.call('HSET', job, 'to', new) end
      local moment = (filter.connector or filter.status) and string.match(got[3] or '', '^(%d+)~')
      if moment then redis.call('HSET', job, 'cursor', moment .. '~~') end
    end
  end
end

local done, taken = {}, {}
for i, old in ipairs(olds) do
  local new = news[i]
  local known = redis.call('HGET', renamed, old)
  if adopted and known ~= new then
    redis.call('HDEL', renamed, new)
    local entries = redis.call('HGETALL', renamed)
    for j = 1, #entries, 2 do
      if entries[j + 1] == old then redis.call('HSET', renamed, entries[j], new) end
    end
    redis.call('HSET', renamed, old, new)
    rename_state(old, new)
    rename_incidents(old, new)
    rename_in_jobs(old, new)
    done[#done + 1], done[#done + 2] = old, new
    known = new
  end
  if known == new and now - tonumber(redis.call('ZSCORE', seen, old) or 0) > WORKER_GONE_MS / 4 then
    redis.call('ZADD', seen, now, old)
  end
end
for _, name in ipairs(redis.call('EXISTS', renamed) == 1 and connectors or {}) do
  if redis.call('HEXISTS', renamed, name) == 1 then
    if now - tonumber(redis.call('ZSCORE', seen, name) or 0) > WORKER_GONE_MS then
      redis.call('HDEL', renamed, name)
      redis.call('ZREM', seen, name)
    else
      taken[#taken + 1] = name
    end
  end
end
return {done, taken}
