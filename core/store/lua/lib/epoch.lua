-- What the store surely remembers (docs/adr/0010). An epoch is the life of one server process: whatever brings an older
-- state back (a restored copy, a failover, another server) runs in a process of its own.
--- args: now
--- uses: time

-- -> sequence of the last body before this epoch: of that and earlier ones, steps may be forgotten; and the time since
-- when every conversation that began is known.
local function epoch()
  local server = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
  local got = redis.call('HMGET', PREFIX .. 'epoch', 'server', 'sequence', 'memory')
  if got[1] == server then return tonumber(got[2]), tonumber(got[3]) end
  local sequence = tonumber(redis.call('GET', PREFIX .. 'sequence') or 0)
  redis.call('HSET', PREFIX .. 'epoch', 'server', server, 'sequence', sequence, 'memory', now)
  return sequence, now
end
