-- Remove a body that belongs to no conversation, if it has had the wanted status ('' for any) since before a time
-- -> 1, 0: there is none, or -1: it is in use, or a revision, or has another status, or not for long
--- args: now, id, wanted, before:number?
--- uses: keys, in_use, drop
local got = redis.call('HMGET', payload_key(id), 'status', 'conversation', 'since', 'received')
if not got[1] then return 0 end
if worked_on(INBOX, id) then return -1 end
if wanted ~= '' and (got[1] ~= wanted or tonumber(got[3] or got[4]) >= before) then return -1 end
if got[2] and redis.call('ZSCORE', PREFIX .. 'revisions:' .. got[2], id) then return -1 end
drop_payload(id)
return 1
