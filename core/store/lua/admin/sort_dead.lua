-- Dead letters that have no cause yet, as another version killed them, get this one; of those that have it, the ones that
-- are dead no longer lose it, as another version replayed them.
--- args: connector, cause, about, ids...
--- uses: keys, causes
for _, id in ipairs(ids) do
  local got = redis.call('HMGET', delivery_key(id), 'status', 'cause')
  if got[1] == DeliveryStatus.DEAD then
    local at = redis.call('ZSCORE', PREFIX .. 'deliveries:' .. connector .. ':' .. DeliveryStatus.DEAD, id)
    if at and not got[2] then note_cause(id, connector, cause, about, at) end
  else
    if got[2] then redis.call('HDEL', delivery_key(id), 'cause') end
    redis.call('ZREM', dead_key(connector, cause), id)
  end
end
count_cause(connector, cause)
return 0
