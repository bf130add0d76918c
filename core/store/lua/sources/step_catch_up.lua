-- A step of a catch-up: list and figures move at once. `fields` and `figures` are pairs of name and value, figures are
-- added to; `listed` pairs of a conversation and when it began; these are `done` with. It is remembered for `kept` ms
-- from now on: a connector with few requests a day may need longer for it.
-- -> 1, or 0: the lease was lost, or it is finished or forgotten
--- args: token, id, kept:number, fields..., figures..., listed..., done...
--- uses: catching
if not catches_up(token, id) then return 0 end
local key, rows = PREFIX .. 'catch-up:' .. id, PREFIX .. 'catch-up-rows:' .. id
for i = 1, #listed, 2 do redis.call('ZADD', rows, listed[i + 1], listed[i]) end
for _, one in ipairs(done) do redis.call('ZREM', rows, one) end
for i = 1, #fields, 2 do redis.call('HSET', key, fields[i], fields[i + 1]) end
for i = 1, #figures, 2 do redis.call('HINCRBY', key, figures[i], figures[i + 1]) end
if kept > 0 then
  redis.call('PEXPIRE', key, kept)
  redis.call('PEXPIRE', rows, kept)
end
return 1
