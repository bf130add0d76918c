-- An item was tried in a process of its own, and that one has died: no other item can be to blame.
-- -> ms until its next try, 0 when it is given up, or -1 when the lease was lost
--- args: now, lane, id, token
--- uses: keys, lease, crash
if not holds(lane, id, token) then return -1 end
local key = lane == INBOX and payload_key(id) or delivery_key(id)
local crashes, alone = crashed(lane, key, id), redis.call('HINCRBY', key, 'alone', 1)
local again = redis.call('HGET', key, 'again')
local wait = 0
if alone >= FATAL_ALONE then
  mark_dead(lane, key, id, alone)
else
  wait = hold_off(lane, key, id, crashes)
end
-- What was asked for meanwhile, such as a newer revision, is new work.
if again then make_due(id, lane) end
return wait
