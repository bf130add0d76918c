-- A connector's deliveries and counts are all under its new name: the old one is forgotten. -> 1, or 0: not yet
--- args: old, statuses...
--- uses: keys
if redis.call('EXISTS', lane_key(old), lease_key(old)) > 0 then return 0 end
for _, status in ipairs(statuses) do
  if redis.call('EXISTS', PREFIX .. 'deliveries:' .. old .. ':' .. status) == 1 then return 0 end
end
redis.call('SREM', PREFIX .. 'connectors', old)
for _, kind in ipairs({'gate:', 'pace:', 'circuit:', 'suspect:', 'limited:', 'knock:', 'token:', 'gates:'}) do
  redis.call('DEL', PREFIX .. kind .. old)
end
return 1
