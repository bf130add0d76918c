-- Keep a token that was fetched, and let others fetch. Whoever has the lease began last, so his is the newest; who has
-- lost it keeps his only if nobody has kept one since. -> its version, or 0
--- args: now, connector, client, seen:number, holder, kept
--- uses: names
local key = PREFIX .. 'token:' .. name_now(connector)
local got = redis.call('HMGET', key, 'version', 'holder')
local version = tonumber(got[1] or 0)
if got[2] == holder then
  redis.call('HDEL', key, 'holder', 'until')
elseif version ~= seen then
  return 0
end
redis.call('HSET', key, 'client', client, 'version', version + 1, 'kept', kept)
return version + 1
