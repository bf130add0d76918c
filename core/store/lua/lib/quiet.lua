-- Connectors that want a chat to be quiet before its next revision is sent (docs/adr/0021).
--- args: now, waits
--- uses: time, keys
local rules = waits ~= '' and cjson.decode(waits) or {}

-- Until when a delivery waits for its chat to be quiet, and since when, or nil: it does not. Each revision begins the
-- wait anew; the first one that is not delivered yet says when it ends in any case. What was delivered `before` waits;
-- what was not waits where that is asked for.
local function quiet(name, id, conversation, before)
  local rule = rules[name]
  if not rule or not (before or rule.first) then return end
  local newest = redis.call('ZREVRANGE', PREFIX .. 'revisions:' .. conversation, 0, 0)[1]
  local came = tonumber(redis.call('HGET', payload_key(newest), 'received'))
  local since = tonumber(redis.call('HGET', delivery_key(id), 'quiet_since') or came)
  local till = math.min(came + rule.quiet, since + rule.at_most)
  if till > now then return till, since end
end
