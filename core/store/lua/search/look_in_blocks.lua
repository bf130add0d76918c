-- The same as look.lua for text in names, emails and ids, among conversations that have not moved for a while: their
-- searched lines stand together in blocks (keep_block.lua), and are looked through at the speed of memory. What a block
-- has is where to look, no more: a conversation that has moved since, or has another name, is judged by what is kept of
-- it now. Only reads.
-- score and member of the place to go on after, lowest score ('' for any), how many that match are enough, and how many
-- blocks to look through
-- -> {} when the place is in no block, or {looked at, score and member of the place after them, then member, score,
-- summary of each that matches}, newest first
--- args: score:number, member, low, enough:number, most:number, text, in_ids:flag, tags...
--- uses: looking
low = tonumber(low) or 0
-- Below everything of a time: no id begins with what comes first of all that can be printed, and none with the last.
if member == '!' then score, member = score - 1, '\127' end
-- Whoever made blocks at the same time as another worker may have made two that overlap, until they are looked after.
local rows, seen = {}, {}

local function add(id, from, before)
  local at = tonumber(redis.call('ZSCORE', PREFIX .. 'conversations', id) or -1)
  if at < from or at >= before or at < low then return end
  seen[id] = true
  if at > score or at == score and not less(id, member) then return end
  local line = redis.call('GET', PREFIX .. 'summary:' .. id) or ''
  if matches(line, id) then rows[#rows + 1] = {id, at, line} end
end

local function look_through(lines, from, before)
  local at = 1
  while true do
    local hit = string.find(lines, text, at, true)
    if not hit then return end
    local last = string.find(lines, '\n', hit, true)
    -- An id that is found is found in its lower case, which stands before it.
    local id = string.match(string.sub(lines, hit, last), '\t([^\t\n]*)\n$')
    if not seen[id] then add(id, from, before) end
    at = last + 1
  end
end

-- From the place downwards, from block to block without a gap.
local top = string.format('%.0f', score)
local starts = redis.call('ZREVRANGEBYSCORE', PREFIX .. 'search-blocks', top, '-inf', 'LIMIT', 0, most)
local reached
for _, start in ipairs(starts) do
  local block = redis.call('HMGET', PREFIX .. 'search-block:' .. start, 'before', 'lines')
  local from, before = tonumber(start), tonumber(block[1] or 0)
  if not block[2] or before < (reached or score + 1) or before <= low then break end
  look_through(block[2], from, before)
  reached = from
  if #rows >= enough then break end
end
if not reached then return {} end
table.sort(rows, function(a, b) return a[2] > b[2] or a[2] == b[2] and less(b[1], a[1]) end)
local looked = redis.call('ZCOUNT', PREFIX .. 'conversations', reached, top)
local found = {looked, string.format('%.0f', reached), '!'}
for _, row in ipairs(rows) do
  found[#found + 1], found[#found + 2], found[#found + 3] = row[1], string.format('%.0f', row[2]), row[3]
end
return found
