--- args: now
--- uses: time, counts, gates
-- The circuit breaker (docs/adr/0006): outages in a row, of different deliveries, close the gate; a test delivery is made
-- every 30 s at first and every ten minutes in the end; any answer opens it. -> what became of the gate, or nil
local function break_circuit(connector, id, answered, trouble, too_many, ahead, reason, fingerprint)
  local gate, circuit = PREFIX .. 'gate:' .. connector, PREFIX .. 'circuit:' .. connector
  if answered then redis.call('DEL', circuit) end
  if trouble ~= Trouble.OUTAGE then return end
  local by = redis.call('HGET', gate, 'by')
  if by == Closer.BREAKER and ahead then
    local probes = redis.call('HINCRBY', gate, 'probes', 1)
    redis.call('HSET', gate, 'reason', reason, 'until', now + math.min(LONGEST_PROBE_MS, FIRST_PROBE_MS * 2 ^ probes))
    redis.call('HDEL', gate, 'probe')
    return Gate.STILL
  elseif not by and redis.call('HGET', circuit, 'last') ~= id then
    redis.call('HSET', circuit, 'last', id)
    if redis.call('HINCRBY', circuit, 'outages', 1) < too_many then return end
    redis.call('DEL', circuit)
    redis.call('HSET', gate, 'since', now, 'reason', reason, 'by', Closer.BREAKER, 'fingerprint', fingerprint,
      'until', now + FIRST_PROBE_MS)
    note_gate(connector, Closer.BREAKER)
    count('out:' .. connector .. ':' .. Counted.OPENED)
    return Gate.HELD
  end
end
