-- The messages of GT06 and its relatives by protocol number.
--
-- A row by protocol number takes a frame's body (what stands between the protocol number and the serial number) and the
-- session; it returns a message, nil for one that says nothing, or nil and an error.
--
-- Sources: GT06 GPS Tracker Communication Protocol V1.8.1; Concox and Jimi protocols of GT06E, JM-VL01, JM-VL103,
-- JM-LL01, X3. `short` rows are for frames that begin with 78 78, `long` ones for 79 79 where those differ.

local short, long = {}, {}

for _, family in ipairs { "positions", "alarms", "networks", "states", "texts", "variants" } do
  local rows = require("protocols.gt06." .. family)
  for number, row in pairs(rows.short) do short[number] = row end
  for number, row in pairs(rows.long) do long[number] = row end
end

--- The row for a protocol number, or nil.
return function(number, is_long)
  return is_long and long[number] or short[number]
end
