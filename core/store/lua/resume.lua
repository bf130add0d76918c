-- Open the gate of a lane. now, connector, fingerprint or '' -> {opened, knock}. With a fingerprint, only a gate that
-- closed by itself under other settings opens: what was wrong may have been put right.
local gate = P .. 'gate:' .. ARGV[2]
local got = redis.call('HMGET', gate, 'by', 'fingerprint')
if not got[1] then return {0, 0} end
if ARGV[3] ~= '' and (got[1] == 'admin' or got[2] == ARGV[3]) then return {0, 0} end
redis.call('DEL', gate, P .. 'circuit:' .. ARGV[2], P .. 'pace:' .. ARGV[2])
return {1, want_knock(ARGV[2])}
