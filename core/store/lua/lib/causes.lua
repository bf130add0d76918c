-- Dead letters by their cause (core/store/protocol/causes.py): which have it, how many that are, and what it is.
--- uses: keys
local function dead_key(connector, cause) return PREFIX .. 'dead:' .. connector .. ':' .. cause end

-- One that nobody has any more is forgotten, with its words.
local function count_cause(connector, cause)
  local number = redis.call('ZCARD', dead_key(connector, cause))
  if number > 0 then
    redis.call('ZADD', PREFIX .. 'causes:' .. connector, number, cause)
  else
    redis.call('ZREM', PREFIX .. 'causes:' .. connector, cause)
    redis.call('HDEL', PREFIX .. 'cause:' .. connector, cause)
  end
end

-- A delivery is a dead letter no longer, or is gone.
local function forget_cause(id, connector)
  local cause = redis.call('HGET', delivery_key(id), 'cause')
  if not cause then return end
  redis.call('HDEL', delivery_key(id), 'cause')
  redis.call('ZREM', dead_key(connector, cause), id)
  count_cause(connector, cause)
end

-- A delivery is a dead letter since then. `about`: the cause as JSON, sealed, or '' for one that Python knows.
local function note_cause(id, connector, cause, about, at)
  -- A version that knows no causes may have replayed it since it died before.
  forget_cause(id, connector)
  redis.call('HSET', delivery_key(id), 'cause', cause)
  redis.call('ZADD', dead_key(connector, cause), at, id)
  if about ~= '' then redis.call('HSETNX', PREFIX .. 'cause:' .. connector, cause, about) end
  count_cause(connector, cause)
end
