-- Put the searched lines of all conversations from a time to before another into a block of their own, in place of the
-- blocks that begin at `gone` -> how many they are
--- args: start:number, before:number, life:number, gone...
local CHUNK = 500
for _, one in ipairs(gone) do
  redis.call('DEL', PREFIX .. 'search-block:' .. one)
  redis.call('ZREM', PREFIX .. 'search-blocks', one)
end
local name = string.format('%.0f', start)
local ids = redis.call('ZRANGEBYSCORE', PREFIX .. 'conversations', start, '(' .. string.format('%.0f', before))
local lines = {}
for first = 1, #ids, CHUNK do
  local keys = {}
  for i = first, math.min(first + CHUNK - 1, #ids) do keys[#keys + 1] = PREFIX .. 'summary:' .. ids[i] end
  for i, line in ipairs(redis.call('MGET', unpack(keys))) do
    local id = ids[first + i - 1]
    -- An id is found in any case, and kept as it is.
    lines[#lines + 1] = string.match(line or '', '([^\n]*)$') .. '\t' .. string.lower(id) .. '\t' .. id .. '\n'
  end
end
local key = PREFIX .. 'search-block:' .. name
redis.call('HSET', key, 'before', string.format('%.0f', before), 'count', #ids, 'lines', table.concat(lines))
redis.call('PEXPIRE', key, life)
redis.call('ZADD', PREFIX .. 'search-blocks', start, name)
return #ids
