-- What an admin decides about a conversation that was read before.
--- args: now
--- uses: keys, ids, marks, status, decide, give, names

-- Give a conversation to connectors, on purpose and after it was read; with `repeated` also to those that have it
-- already. `why`: none is named, and for that reason; `job`: the bulk job that does it, or nil
-- -> deliveries that are due now; adds lanes to `woken`
local function give_to(conversation, why, repeated, names, woken, job)
  local newest = redis.call('ZREVRANGE', PREFIX .. 'revisions:' .. conversation, 0, 0)[1]
  if not newest then return 0 end -- erased since it was found
  local done, discarded = 0, redis.call('HGET', payload_key(newest), 'status') == PayloadStatus.DISCARDED
  local busy = rename_deliveries(conversation)
  for _, name in ipairs(names) do
    name = name_now(name)
    name = busy[name] or name
    local id = delivery_id(name, conversation)
    local there = redis.call('EXISTS', delivery_key(id)) == 1
    -- It came a while ago: nobody can be sure that this connector has nothing of it.
    if not there then give(name, conversation, true) end
    if not there or repeated then
      if there then again(id, name) end
      if job then redis.call('HSET', delivery_key(id), 'job', job) end
      done = done + 1
      if want_wake_up(name) == 1 then woken[#woken + 1] = name end
    end
  end
  if done > 0 then
    -- One that was discarded was no longer counted.
    if discarded then set_payload_status(newest, PayloadStatus.ROUTED) end
    placed(conversation)
  elseif #names == 0 and why ~= '' then
    if discarded then set_payload_status(newest, PayloadStatus.UNROUTED) end
    nowhere(conversation, newest, why)
  end
  return done
end

-- Nobody needs a conversation that was delivered nowhere
-- -> 1, 0: no such thing, or -1: it is being read, or is delivered
local function discard_undelivered(conversation, reason)
  local newest = redis.call('ZREVRANGE', PREFIX .. 'revisions:' .. conversation, 0, 0)[1]
  if not newest then return 0 end
  if not undelivered(conversation) then return -1 end
  redis.call('HSET', payload_key(newest), 'error', reason, 'since', now)
  set_payload_status(newest, PayloadStatus.DISCARDED)
  redis.call('ZREM', PREFIX .. 'undelivered', conversation)
  return 1
end
