-- Others may have an identity that this delivery held. -> 1, or 0 when it held it no longer
--- args: connector, id, token, identity
local key = PREFIX .. 'alone:' .. connector .. ':' .. identity
local got = redis.call('HMGET', key, 'id', 'token')
if got[1] ~= id or got[2] ~= token then return 0 end
return redis.call('DEL', key)
