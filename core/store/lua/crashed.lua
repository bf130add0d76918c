-- An item was tried in a process of its own, and that one has died: no other item can be to blame.
-- now, lane, id, token -> 1, or 0 when the lease was lost
local lane, id = ARGV[2], ARGV[3]
if not holds(lane, id, ARGV[4]) then return 0 end
local key = lane == 'inbox' and payload_key(id) or delivery_key(id)
condemn(lane, key, id, crashed(lane, key, id))
return 1
