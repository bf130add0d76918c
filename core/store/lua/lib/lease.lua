-- Who works on what, and whether that can be known.
--- uses: keys, marks
local function holds(lane, id, token) return redis.call('HGET', lease_key(lane), id) == token end

-- Whether leases that ran out may have run out because the server was away, or because its clock jumped: then nobody
-- was seen for as long as it knows.
local function unsettled() return stands('settling', STEADY_MS) or not stands('steady', STEADY_MS) end
