-- Note of conversations whether they were delivered nowhere: another version of this program may have read, delivered or
-- erased them, and it kept no list. Ids of payloads or of conversations -> how many entries changed
--- args: now, kind, ids...
--- uses: keys, give
local changed = 0
for _, id in ipairs(ids) do
  local conversation = id
  if kind == Kind.PAYLOAD then conversation = redis.call('HGET', payload_key(id), 'conversation') end
  if conversation then changed = changed + recount(conversation) end
end
return changed
