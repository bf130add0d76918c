-- Ask for a connector's token, or for the right to fetch one, which nobody else has for `lease_ms`.
-- -> {'new' | 'renew' | 'busy', version, what was kept for this client or ''}
--- args: now, connector, client, seen:number, holder, lease_ms:number
--- uses: time, names
local key = PREFIX .. 'token:' .. name_now(connector)
local got = redis.call('HMGET', key, 'client', 'version', 'kept', 'holder', 'until')
local version, kept = tonumber(got[2] or 0), got[1] == client and got[3] or ''
if kept ~= '' and version ~= seen then return {'new', version, kept} end
-- A lease with longer to go than anybody asks for is from before the clock was put back.
local left = got[4] and tonumber(got[5]) - now or 0
if left > 0 and left <= lease_ms then return {'busy', version, kept} end
redis.call('HSET', key, 'holder', holder, 'until', string.format('%.0f', now + lease_ms))
return {'renew', version, kept}
