-- How ids are put together, as core/ids.py has it.
local function delivery_id(connector, conversation) return connector .. ':' .. conversation end
