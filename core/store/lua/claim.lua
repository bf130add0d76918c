-- Lease the next item of a lane (next.lua).
-- now, lane, token, lease in ms, crashes that are too many, how, at once at most or '', requests a second or ''
return take_next(ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]))
