-- Bring some deliveries of a connector under its new name; those that are worked on stay for now. -> how many were moved
--- args: now, old, new, most:number, statuses...
--- uses: names
local left = most
for _, status in ipairs(statuses) do
  local list, at, ids = PREFIX .. 'deliveries:' .. old .. ':' .. status, 0, {}
  repeat
    ids = left > 0 and redis.call('ZRANGE', list, at, at + left - 1) or {}
    for _, id in ipairs(ids) do
      if move_delivery(old, new, string.sub(id, #old + 2)) then left = left - 1 else at = at + 1 end
    end
  until #ids == 0
end
return most - left
