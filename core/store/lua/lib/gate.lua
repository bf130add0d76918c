--- args: now
--- uses: time
-- A closed gate lets one through when an admin asked for it, or when a breaker's time has come. One that is further off
-- than the longest wait is from before the clock was put back.
local function opens(asked, time)
  local left = tonumber(time or 0) - now
  return asked or time and (left <= 0 or left > LONGEST_PROBE_MS)
end
