-- Open the gate of a lane -> {opened, wake up}. With a fingerprint (or ''), only a gate that closed by itself under
-- other settings opens: what was wrong may have been corrected.
--- args: now, connector, fingerprint
--- uses: marks, culprits, gates
local gate = PREFIX .. 'gate:' .. connector
local got = redis.call('HMGET', gate, 'by', 'fingerprint', 'caused')
if not got[1] then return {0, 0} end
if fingerprint ~= '' and (got[1] == Closer.ADMIN or got[2] == fingerprint) then return {0, 0} end
for _, kind in ipairs({'gate:', 'circuit:', 'pace:', 'suspect:'}) do redis.call('DEL', PREFIX .. kind .. connector) end
note_gate(connector, '')
put_last(connector, got[3])
return {1, want_wake_up(connector)}
