-- Remove a body that belongs to no conversation. now, id, status that it must have or ''
-- -> 1, 0: there is none, or -1: it is in use, or a revision, or has another status
local id, wanted = ARGV[2], ARGV[3]
local got = redis.call('HMGET', payload_key(id), 'status', 'conversation')
if not got[1] then return 0 end
if worked_on('inbox', id) then return -1 end
if wanted ~= '' and got[1] ~= wanted then return -1 end
if got[2] and redis.call('ZSCORE', P .. 'revisions:' .. got[2], id) then return -1 end
drop_payload(id)
return 1
