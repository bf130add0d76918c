-- Hold an identity for a delivery at work, unless another one that is still at work holds it. A lease that ran out, or an
-- attempt that ended, lets it go. -> 1, 0: somebody else has it, or -1 when the lease was lost
--- args: now, connector, id, token, identity
--- uses: keys, lease, in_use
if not holds(connector, id, token) then return -1 end
local key = PREFIX .. 'alone:' .. connector .. ':' .. identity
local got = redis.call('HMGET', key, 'id', 'token')
if got[1] and got[1] ~= id and holds(connector, got[1], got[2]) and worked_on(connector, got[1]) then return 0 end
redis.call('HSET', key, 'id', id, 'token', token)
redis.call('PEXPIRE', key, ALONE_MS)
return 1
