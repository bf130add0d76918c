-- Whether a conversation is one of those that somebody looks for: `text` is what its searched line holds, or '' (or its
-- id, where it may be in these), `tags` are those that must all be there.
--- args: text, in_ids:flag, tags...
for i, tag in ipairs(tags) do tags[i] = ' ' .. tag .. ' ' end

-- As sorted sets compare; Lua's own < follows the server's locale.
local function less(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function matches(line, id)
  local head = string.find(line, '\n', 1, true) or 0
  for _, tag in ipairs(tags) do
    local at = string.find(line, tag, 1, true)
    if not at or at > head then return false end
  end
  if text == '' or (in_ids and string.find(string.lower(id), text, 1, true)) then return true end
  local searched = head > 0 and string.find(line, '\n', head + 1, true)
  return searched and string.find(line, text, searched + 1, true)
end
