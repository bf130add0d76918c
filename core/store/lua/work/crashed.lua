-- An item was tried in a process of its own, and that one has died: no other item can be to blame.
-- -> 1, or 0 when the lease was lost
--- args: now, lane, id, token
--- uses: keys, lease, crash
if not holds(lane, id, token) then return 0 end
local key = lane == INBOX and payload_key(id) or delivery_key(id)
mark_dead(lane, key, id, crashed(lane, key, id))
return 1
