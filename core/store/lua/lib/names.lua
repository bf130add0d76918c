-- Connectors that have another name now (docs/adr/0015).
--- args: now
--- uses: time, keys, ids, in_use, status, causes

-- What a connector is called today. Of an old name whoever names it means the new one, whichever file he read.
local function name_now(name)
  for _ = 1, 20 do
    local new = redis.call('HGET', PREFIX .. 'renamed', name)
    if not new then break end
    name = new
  end
  return name
end

-- A delivery by its id, as it is called today.
local function id_now(id)
  local name, rest = string.match(id, '^([^:]+)(:.+)$')
  return name and name_now(name) .. rest or id
end

-- Everything about one delivery but its place in `deliveries-of`.
local function drop_delivery(name, conversation)
  local id = delivery_id(name, conversation)
  local status = redis.call('HGET', delivery_key(id), 'status')
  redis.call('ZREM', lane_key(name), id)
  redis.call('HDEL', lease_key(name), id)
  if status then redis.call('ZREM', PREFIX .. 'deliveries:' .. name .. ':' .. status, id) end
  forget_cause(id, name)
  redis.call('DEL', delivery_key(id), PREFIX .. 'steps:' .. id, PREFIX .. 'attempts:' .. id)
end

-- Of two deliveries of one conversation: whether the one under the old name stays. That is whose record is known and
-- changed last, or who had at least begun.
local function stays(from, to)
  local old = redis.call('HMGET', delivery_key(from), 'ref', 'updated')
  local new = redis.call('HMGET', delivery_key(to), 'ref', 'updated')
  if old[1] and new[1] then return tonumber(old[2]) > tonumber(new[2]) end
  if old[1] or new[1] then return not new[1] end
  return redis.call('EXISTS', PREFIX .. 'steps:' .. to) == 0 and redis.call('EXISTS', PREFIX .. 'steps:' .. from) == 1
end

-- Bring a conversation's delivery under the new name, with its steps, attempts, lease, and place and time in its lane.
-- -> false: somebody is at work on it, so it has to wait
local function move_delivery(old, new, conversation)
  local from, to = delivery_id(old, conversation), delivery_id(new, conversation)
  if worked_on(old, from) or worked_on(new, to) then return false end
  local there = redis.call('EXISTS', delivery_key(from)) == 1
  local wanted = false
  if there and redis.call('EXISTS', delivery_key(to)) == 1 then
    wanted = redis.call('ZSCORE', lane_key(old), from) or redis.call('ZSCORE', lane_key(new), to)
    there = stays(from, to)
    if there then drop_delivery(new, conversation) end
  end
  if there then
    local status = redis.call('HGET', delivery_key(from), 'status')
    local since = redis.call('ZSCORE', PREFIX .. 'deliveries:' .. old .. ':' .. status, from)
    local cause = redis.call('HGET', delivery_key(from), 'cause')
    local about = cause and redis.call('HGET', PREFIX .. 'cause:' .. old, cause) or ''
    forget_cause(from, old)
    redis.call('RENAME', delivery_key(from), delivery_key(to))
    redis.call('HSET', delivery_key(to), 'connector', new)
    for _, kind in ipairs({'steps:', 'attempts:'}) do
      if redis.call('EXISTS', PREFIX .. kind .. from) == 1 then
        redis.call('RENAME', PREFIX .. kind .. from, PREFIX .. kind .. to)
      end
    end
    redis.call('ZREM', PREFIX .. 'deliveries:' .. old .. ':' .. status, from)
    redis.call('ZADD', PREFIX .. 'deliveries:' .. new .. ':' .. status, since or now, to)
    if cause then note_cause(to, new, cause, about, since or now) end
    local due, token = redis.call('ZSCORE', lane_key(old), from), redis.call('HGET', lease_key(old), from)
    if due then redis.call('ZADD', lane_key(new), due, to) end
    -- One that ran out: the next claim counts it.
    if token then redis.call('HSET', lease_key(new), to, token) end
  end
  drop_delivery(old, conversation)
  redis.call('SREM', PREFIX .. 'deliveries-of:' .. conversation, old)
  redis.call('SADD', PREFIX .. 'deliveries-of:' .. conversation, new)
  redis.call('SADD', PREFIX .. 'connectors', new)
  if wanted and not redis.call('ZSCORE', lane_key(new), to) then make_due(to, new) end
  return true
end

-- Bring all deliveries of a conversation under the names of today -> of those that somebody is at work on: new name ->
-- old one.
local function rename_deliveries(conversation)
  local busy = {}
  if redis.call('EXISTS', PREFIX .. 'renamed') == 0 then return busy end
  for _, old in ipairs(redis.call('SMEMBERS', PREFIX .. 'deliveries-of:' .. conversation)) do
    local new = name_now(old)
    if new ~= old and not move_delivery(old, new, conversation) then busy[new] = old end
  end
  return busy
end
