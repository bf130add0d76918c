-- Look at the next conversations, or deliveries, newest first. Only reads. One call, so that what moves meanwhile is
-- neither passed over nor seen twice.
-- score and member of the place to go on after ('' from the top), lowest and highest score ('' for any), how many to
-- look at, text that the searched line holds or '' (or the conversation's id, if it may be in these), tags that must all
-- be there, sorted sets to look in, whether their members are deliveries, and the bulk job that these are of, or ''
-- -> {looked at, score and member of the last, then member, score, summary of each that matches}
--- args: score, member, low, high, most:number, text, in_ids:flag, deliveries:flag, job, tags..., sets...
--- uses: looking
if low == '' then low = '-inf' end
if high == '' then high = '+inf' end
local CHUNK = 500

-- Of a delivery, as core/ids.py has it.
local function conversation_of(id) return string.sub(id, string.find(id, ':', 1, true) + 1) end

-- The rank, from the top, of the first one below the place.
local function rank_below(name)
  local rank = redis.call('ZREVRANK', name, member)
  if rank and tonumber(redis.call('ZSCORE', name, member)) == tonumber(score) then return rank + 1 end
  -- It has moved: between those of the same score it stood here.
  local first = redis.call('ZCOUNT', name, '(' .. score, '+inf')
  local last = first + redis.call('ZCOUNT', name, score, score)
  while first < last do
    local middle = math.floor((first + last) / 2)
    if less(redis.call('ZREVRANGE', name, middle, middle)[1], member) then last = middle else first = middle + 1 end
  end
  return first
end

-- The next of one sorted set: member, score, member, score …
local function next_of(name)
  if score == '' or (high ~= '+inf' and tonumber(score) > tonumber(high)) then
    return redis.call('ZREVRANGEBYSCORE', name, high, low, 'WITHSCORES', 'LIMIT', 0, most)
  end
  local rank = rank_below(name)
  local rows = redis.call('ZREVRANGE', name, rank, rank + most - 1, 'WITHSCORES')
  if low ~= '-inf' then
    while #rows > 0 and tonumber(rows[#rows]) < tonumber(low) do
      rows[#rows] = nil
      rows[#rows] = nil
    end
  end
  return rows
end

local function of_job(id) return job == '' or redis.call('HGET', PREFIX .. 'delivery:' .. id, 'job') == job end

-- Sets merged, newest first: members and their scores.
local function merged(sets)
  local ids, scores, heads = {}, {}, {}
  if #sets == 1 then
    for i = 1, #sets[1], 2 do ids[#ids + 1], scores[#scores + 1] = sets[1][i], sets[1][i + 1] end
    return ids, scores
  end
  for i = 1, #sets do heads[i] = 1 end
  while #ids < most do
    local best, id, at
    for i, rows in ipairs(sets) do
      local one = rows[heads[i]]
      if one then
        local when = tonumber(rows[heads[i] + 1])
        if not best or when > at or (when == at and less(id, one)) then best, id, at = i, one, when end
      end
    end
    if not best then break end
    ids[#ids + 1], scores[#scores + 1] = id, sets[best][heads[best] + 1]
    heads[best] = heads[best] + 2
  end
  return ids, scores
end

for i, name in ipairs(sets) do sets[i] = next_of(name) end
local ids, scores = merged(sets)
local found = {#ids, scores[#ids] or score, ids[#ids] or member}
-- Many at a time: a call for each would cost more than all the rest.
for first = 1, #ids, CHUNK do
  local last, keys, names = math.min(first + CHUNK - 1, #ids), {}, {}
  for i = first, last do
    local id = ids[i]
    if deliveries then id = conversation_of(id) end
    keys[#keys + 1], names[#names + 1] = PREFIX .. 'summary:' .. id, id
  end
  for i, line in ipairs(redis.call('MGET', unpack(keys))) do
    if matches(line or '', names[i]) and of_job(ids[first + i - 1]) then
      found[#found + 1], found[#found + 2], found[#found + 3] = ids[first + i - 1], scores[first + i - 1], line or ''
    end
  end
end
return found
