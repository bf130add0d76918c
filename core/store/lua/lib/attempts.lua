-- The history of a delivery.
local function log_attempt(id, json)
  local key = PREFIX .. 'attempts:' .. id
  redis.call('RPUSH', key, json)
  redis.call('LTRIM', key, -ATTEMPTS_KEPT, -1)
end
