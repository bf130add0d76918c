--- args: now
--- uses: time
-- When a connector was paused, or did not respond, and when that was over: `by` as its gate has it, '' when it opened. The
-- reason is not kept for so long: it may quote a visitor.
local function note_gate(connector, by)
  local key = PREFIX .. 'gates:' .. connector
  redis.call('RPUSH', key, cjson.encode({at = now, by = by}))
  redis.call('LTRIM', key, -GATES_KEPT, -1)
end
