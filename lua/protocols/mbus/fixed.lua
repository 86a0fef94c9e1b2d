-- The fixed data structure (EN 1434-3:1997 and EN 13757-3:2004, annex D): two counters of four bytes each.

local data = require "protocols.mbus.data"
local header = require "protocols.mbus.header"

local fixed = {}

local SIZE = 16

-- Units by their code: a name, a unit and a factor. Unlike those of variable data they stay in the unit the table of
-- the standard names.
local UNITS = {}

local function unit(first, name, symbols)
  for i, symbol in ipairs(symbols) do
    for power = 0, 2 do UNITS[first + 3 * (i - 1) + power] = { name, symbol, 10 ^ power } end
  end
end

unit(0x02, "energy", { "Wh", "kWh", "MWh", "kJ", "MJ", "GJ" })
unit(0x14, "power", { "W", "kW", "MW", "kJ/h", "MJ/h", "GJ/h" })
unit(0x26, "volume", { "ml", "l", "m3" })
unit(0x2f, "volume_flow", { "ml/h", "l/h", "m3/h" })
UNITS[0x38] = { "temperature", "°C", 0.001 }
UNITS[0x39] = { "heat_cost_units" }
UNITS[0x3f] = { "dimensionless" }
local SAME_BUT_HISTORIC = 0x3e

local MEDIA = {
  [0] = "other", "oil", "electricity", "gas", "heat", "steam", "hot_water", "water", "heat_cost_allocator",
  [10] = "gas", [11] = "heat", [12] = "hot_water", [13] = "water", [14] = "heat_cost_allocator",
}

--- Reads the structure at `at` into `message`: identification, access number, status, medium and `values`. Returns the
-- message, or nil and an error.
function fixed.read(bytes, at, message)
  if #bytes < at + SIZE - 1 then return nil, "too short for fixed data" end
  message.device_id = header.read_number(bytes, at)
  message.access_number = bytes:byte(at + 4)
  local status, first, second = bytes:byte(at + 5), bytes:byte(at + 6, at + 7)
  -- Here the two lowest bits say how the counters are coded and when they were taken.
  header.read_status(status & 0xfc, message)
  message.status = status
  message.medium = MEDIA[first >> 6 | second >> 6 << 2] or "reserved"
  local coding = status & 1 == 0 and 12 or 4
  message.values = {}
  for i, code in ipairs { first & 63, second & 63 } do
    local historic = code == SAME_BUT_HISTORIC
    local row = UNITS[historic and first & 63 or code] or { "unknown" }
    local content, read = data.take(bytes, at + 4 + 4 * i, coding)
    local value = read(content)
    message.values[i] = {
      name = row[1],
      unit = row[2],
      value = value and value * (row[3] or 1),
      storage = (historic or status & 2 ~= 0) and 1 or nil,
    }
  end
  return message
end

return fixed
