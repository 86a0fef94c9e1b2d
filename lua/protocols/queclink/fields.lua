-- What the fields of text reports stand for. Fields are strings; a missing one reads as "".

local calendar = require "utils.calendar"

local fields = {}

--- A decimal number, or nil.
function fields.number(text) return text:find("^%-?%d+%.?%d*$") and tonumber(text) or nil end

--- A whole number in hexadecimal digits, at most 8, or nil.
function fields.hex(text) return #text <= 8 and text:find("^%x+$") and tonumber(text, 16) or nil end

--- 0 to 100, or nil.
function fields.percent(text)
  local value = text:find("^%d%d?%d?$") and tonumber(text)
  return value and value <= 100 and value or nil
end

--- `text` in thousands of the unit, or nil: millivolts to volts.
function fields.milli(text)
  local value = fields.number(text)
  return value and value / 1000
end

--- Kilometres to metres, or nil.
function fields.kilometres(text)
  local value = fields.number(text)
  return value and value * 1000
end

--- Hours of HHHHH:MM:SS, or nil.
function fields.hours(text)
  local hours, minutes, seconds = text:match("^(%d+):?(%d*):?(%d*)$")
  if not hours then return nil end
  return tonumber(hours) + (tonumber(minutes) or 0) / 60 + (tonumber(seconds) or 0) / 3600
end

--- Unix seconds of YYYYMMDDHHMMSS (UTC), or nil.
function fields.time(text)
  local year, month, day, hour, minute, second = text:match("^(%d%d%d%d)(%d%d)(%d%d)(%d%d)(%d%d)(%d%d)$")
  return year and calendar.epoch(tonumber(year), tonumber(month), tonumber(day), tonumber(hour), tonumber(minute),
    tonumber(second))
end

--- An analog input: millivolts, or with an F the percent of a fuel sensor.
function fields.analog(message, index, text)
  local fuel = text:match("^F(%d+)$")
  if fuel then message["fuel" .. index] = tonumber(fuel) else message["adc" .. index] = fields.milli(text) end
end

-- Whether the ignition is on and the device moves; 1x without ignition, 2x with it, 4x where it is not wired.
local STATES = {
  ["11"] = { false, false }, ["12"] = { false, true }, ["16"] = { false, true }, ["1A"] = { false, true },
  ["21"] = { true, false }, ["22"] = { true, true }, ["41"] = { nil, false }, ["42"] = { nil, true },
}

--- The state of the device, two digits; returns whether it is one.
function fields.state(message, text)
  local state = STATES[text:upper()]
  if not state then return false end
  message.ignition, message.motion = state[1], state[2]
  if text == "16" then message.towed = true end
  return true
end

--- The device status: state, inputs (bit 0 the ignition's), outputs; models with more put theirs before it.
function fields.status(message, text)
  local state, input, output = text:match("(%x%x)(%x%x)(%x%x)$")
  if not state then return end
  fields.state(message, state)
  message.input, message.output = tonumber(input, 16), tonumber(output, 16)
end

--- A cell of four fields at `at`: country, network, location area and cell id, the last two in hexadecimal.
function fields.cell(v, at)
  local mcc, mnc, lac, cell = v[at], v[at + 1], fields.hex(v[at + 2]), fields.hex(v[at + 3])
  if not lac or not cell or not mcc:find("^%d%d%d%d?$") or not mnc:find("^%d%d%d?%d?$") then return nil end
  if tonumber(mcc) == 0 then return nil end
  return { mcc = tonumber(mcc), mnc = tonumber(mnc), lac = lac, cell = cell }
end

--- Whether `text` is a MAC address.
function fields.is_mac(text) return #text == 12 and text:find("^%x+$") ~= nil end

return fields
