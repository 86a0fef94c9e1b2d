-- CAN: what the vehicle's bus says, by the bits of two masks.

local fields = require "protocols.queclink.fields"

local function text(value) return value ~= "" and value or nil end

--- A number behind letters that tell its unit.
local function unit(pattern, scale)
  return function(value)
    local number = tonumber(value:match(pattern))
    return number and number * (scale or 1)
  end
end

local number, hex = fields.number, fields.hex
-- Litres, with or without their letter; kilograms (K) are told by a gas vehicle.
local litres = unit("^L?([%d.]+)$")
local hundred_metres = unit("^(%d+)$", 100)

-- Bit, field, reader; in the order of the report, where speed follows the engine's.
local ROWS = {
  { 0, "vin", text }, { 1, "ignition", function(value) return tonumber(value) and tonumber(value) > 0 end },
  { 2, "obd_odometer", unit("^H(%d+)$", 100) }, { 3, "fuel_used", litres }, { 5, "rpm", number },
  { 4, "obd_speed", number }, { 6, "coolant_temperature", number }, { 7, "fuel_consumption", unit("^L/H([%d.]+)$") },
  { 8, "fuel", unit("^[PL]([%d.]+)$") }, { 9, "range", hundred_metres }, { 10, "throttle", number },
  { 11, "engine_hours", number }, { 12, "driving_hours", number }, { 13, "idle_hours", number },
  { 14, "idle_fuel_consumption", litres }, { 15, "axle_weight", number }, { 16, "tachograph_info", hex },
  { 17, "indicators", hex }, { 18, "lights", hex }, { 19, "doors", hex }, { 20, "vehicle_overspeed", number },
  { 21, "engine_overspeed", number },
}

-- How many fields of their own models have, by the bit they follow the standard ones with.
local OWN = {
  GV350M = { 22, 24 }, GV350CEU = { 23, 27 }, GV355CEU = { 23, 27 },
}

-- The fields of the second mask; what has no name is passed over.
local EXTENDED = {
  { 0, "adblue_level", unit("^[LP]?([%d.]+)$") }, { 1, "axle_weight1", number }, { 2, "axle_weight3", number },
  { 3, "axle_weight4", number }, { 4 }, { 5 }, { 6 }, { 7, "adc1", fields.milli }, { 8 }, { 9 }, { 10 }, { 11 }, { 12 },
  { 13 }, { 14 }, { 15, "driver1_card", text }, { 16, "driver2_card", text }, { 17, "driver1_name", text },
  { 18, "driver2_name", text }, { 19, "registration", text },
}

return function(report)
  local v, message = report.v, report.message
  if message.hdop then message.valid = message.valid and message.hdop > 0 end
  local mask, at = fields.hex(v[7]), 8
  if not mask then return end

  local function read(bits, rows)
    for _, row in ipairs(rows) do
      if bits & 1 << row[1] ~= 0 and at <= report.last then
        if row[2] then message[row[2]] = row[3](v[at]) end
        at = at + 1
      end
    end
  end

  read(mask, ROWS)
  local own = OWN[report.model]
  for bit = own and own[1] or 1, own and own[2] or 0 do
    if mask & 1 << bit ~= 0 then at = at + 1 end
  end
  if mask & 1 << 29 ~= 0 then
    at = at + 1
    read(fields.hex(v[at - 1]) or 0, EXTENDED)
  end
end
