-- Elements of `values`, by their OBIS codes.

local axdr = require "protocols.dlms_han.axdr"
local clock = require "protocols.dlms_han.clock"
local obis = require "utils.obis"

local values = {}

-- What is said about the meter, in the message itself.
local ABOUT = {
  ["1-0:0.2.129*255"] = "list_version", ["1-1:0.2.129*255"] = "list_version",
  ["0-0:96.1.0*255"] = "device_id", ["1-1:0.0.5*255"] = "device_id",
  ["0-0:42.0.0*255"] = "logical_device_name",
  ["0-0:96.1.7*255"] = "meter_type", ["1-1:96.1.1*255"] = "meter_type",
}

local CLOCK = { ["0-0:1.0.0*255"] = true, ["0-1:1.0.0*255"] = true }

--- Whether an element is an OBIS code.
function values.is_code(element)
  return type(element) == "table" and element.tag == axdr.OCTETS and #element.bytes == 6
end

--- The text of a string element without padding; nil for anything else.
function values.text(element)
  if type(element) ~= "table" or not element.bytes then return nil end
  local text = element.bytes:gsub("^[%s%z]+", ""):gsub("[%s%z]+$", "")
  return text:find("^[\x20-\x7e]+$") and text or nil
end

-- Units of what meters send without saying them, by the first two words of its name or the first one.
local UNITS = {
  reactive_energy = "varh", reactive_power = "var", apparent_energy = "VAh", apparent_power = "VA",
  energy = "Wh", power = "W", current = "A", voltage = "V", power_factor = false,
}

local function unit_of(name)
  local unit = UNITS[name:match("^%l+_%l+")]
  if unit == nil then unit = UNITS[name:match("^%l+")] end
  return unit
end

--- A number times a power of ten. Dividing keeps 2327 / 10 from becoming 232.70000000000002.
local function scale(number, power)
  return power < 0 and number / 10 ^ (0 - power) or number * 10 ^ power
end

--- Adds what a code (six bytes) and its element say to `context.message`; `context.offset`: see clock.
-- `scales`: by unit, the power of ten of numbers that come without one, false for one that is not known; `said`:
-- { power, unit } where the meter says both.
function values.add(context, code, element, scales, said)
  local message = context.message
  local text = obis.text(code)
  if ABOUT[text] then
    message[ABOUT[text]] = message[ABOUT[text]] or values.text(element)
    return
  end
  if CLOCK[text] then
    if type(element) == "table" and element.bytes then clock(message, element.bytes, context.offset) end
    return
  end
  local a, _, c, d, e = code:byte(1, 5)
  local value = { name = obis.name(a, c, d, e) or text, obis = text }
  -- Numbers beyond 2^53 come as strings.
  local number = (type(element) == "number" or type(element) == "string") and tonumber(element)
  -- Floating point has values that are no numbers.
  if number and (number ~= number or math.abs(number) == math.huge) then return end
  if number and said then
    value.value, value.unit = scale(number, said.power), said.unit
  elseif number then
    local unit = unit_of(value.name)
    local power = unit and scales[unit]
    value.value = scale(number, power or 0)
    if power ~= false then value.unit = unit end
  else
    value.value = values.text(element)
  end
  if value.value then message.values[#message.values + 1] = value end
end

return values
