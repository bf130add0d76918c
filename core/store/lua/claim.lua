-- Lease the next items of a lane (next.lua).
-- now, lane, token, lease in ms, crashes that are too many, how, at once at most or '', requests a second or '', how many
return take_several(tonumber(ARGV[9]), ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6],
  tonumber(ARGV[7]), tonumber(ARGV[8]))
