-- Count under the new name of a connector what these hashes have under the old one. -> how many fields that were
--- args: old, new, keys...
local moved = 0
for _, key in ipairs(keys) do
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local kind, rest = string.match(field, '^(%a+):' .. string.gsub(old, '%-', '%%-') .. '(:.+)$')
    if kind == 'out' or kind == 'took' then
      redis.call('HINCRBY', key, kind .. ':' .. new .. rest, redis.call('HGET', key, field))
      redis.call('HDEL', key, field)
      moved = moved + 1
    end
  end
end
return moved
