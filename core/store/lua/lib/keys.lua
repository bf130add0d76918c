-- Keys that many scripts need; all are described in keys.py.
local function lane_key(lane) return PREFIX .. 'lane:' .. lane end
local function lease_key(lane) return PREFIX .. 'leases:' .. lane end
local function payload_key(id) return PREFIX .. 'payload:' .. id end
local function delivery_key(id) return PREFIX .. 'delivery:' .. id end
