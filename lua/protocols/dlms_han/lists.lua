-- The lists that meters push, in the layouts of their manufacturers. Each reader adds to `context.message` what a list
-- says, and the manufacturer where the layout tells; see values.add for `context`.
--
-- Sources: Kaifa KFM_001, Aidon AIDON_V0001, Kamstrup V0001: OBIS list information (NEK, Norway); branch guideline for
-- the customer interface (Energiföretagen, Sweden); Landis+Gyr E450 push set-up.

local axdr = require "protocols.dlms_han.axdr"
local flags = require "protocols.dlms_han.flags"
local units = require "utils.dlms_units"
local values = require "protocols.dlms_han.values"

-- Powers of ten by unit.
local SCALES = {
  Kaifa = { A = -3, V = -1 },
  Kamstrup = { A = -2, Wh = 1, varh = 1, VAh = 1 },
}
-- What no one has documented is handed on as a number without a unit.
local UNKNOWN = { A = false, V = false }

-- Manufacturers by the begin of the list's version.
local VERSIONS = { { "^KFM", "Kaifa" }, { "^AIDON", "Aidon" }, { "^Kamstrup", "Kamstrup" } }

local function manufacturer_of(version)
  for _, row in ipairs(VERSIONS) do
    if version and version:find(row[1]) then return row[2] end
  end
  return nil
end

local function is_list(element)
  return type(element) == "table" and (element.tag == axdr.ARRAY or element.tag == axdr.STRUCTURE)
end

--- Aidon: each element is { code, value } or { code, value, { scaler, unit } }.
local function read_structures(context, list)
  for _, item in ipairs(list) do
    if is_list(item) and values.is_code(item[1]) and item[2] ~= nil then
      local said = is_list(item[3]) and item[3]
      local power, code = said and said[1], said and said[2]
      local known = type(power) == "number" and power >= -20 and power <= 20 and type(code) == "number"
      values.add(context, item[1].bytes, item[2], UNKNOWN, known and { power = power, unit = units[code] } or nil)
    end
  end
  -- Its lists of every hour have no version.
  local message = context.message
  message.manufacturer = message.list_version and manufacturer_of(message.list_version) or "Aidon"
end

--- Kaifa in Sweden, Kamstrup: the version, then codes and values in turn; nulls stand for what a meter has not.
local function read_flat(context, list)
  local message = context.message
  -- Kaifa's version is behind a code of its own.
  local version = values.is_code(list[1]) and values.text(list[2]) or values.text(list[1])
  message.manufacturer = manufacturer_of(version)
  if message.manufacturer then message.list_version = version end
  local scales = SCALES[message.manufacturer] or UNKNOWN
  local code
  for _, element in ipairs(list) do
    if code and element ~= axdr.null then values.add(context, code, element, scales) end
    code = not code and values.is_code(element) and element.bytes or nil
  end
end

--- Landis+Gyr and others: first what the values are, a list of { class, code, attribute, index }, then the values. The
-- list may count itself as the first of them.
local function read_described(context, list)
  local objects = list[1]
  local before = #objects == #list and 0 or 1
  for i, object in ipairs(objects) do
    local element = list[i + before]
    if element ~= nil and element ~= objects and is_list(object) and values.is_code(object[2]) then
      values.add(context, object[2].bytes, element, UNKNOWN)
    end
  end
  local message = context.message
  local name = message.logical_device_name
  message.manufacturer = name and flags[name:sub(1, 3)]
  message.device_id = message.device_id or name
end

local HEAD = { "1-1:0.2.129", "0-0:96.1.0", "0-0:96.1.7", "1-0:1.7.0", "1-0:2.7.0", "1-0:3.7.0", "1-0:4.7.0" }
local ONE_PHASE = { "1-0:31.7.0", "1-0:32.7.0" }
local THREE_PHASES = { "1-0:31.7.0", "1-0:51.7.0", "1-0:71.7.0", "1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0" }
local HOUR = { "0-0:1.0.0", "1-0:1.8.0", "1-0:2.8.0", "1-0:3.8.0", "1-0:4.8.0" }

local function codes(...)
  local joined = {}
  for _, part in ipairs { ... } do
    for _, text in ipairs(part) do
      local numbers = {}
      for number in text:gmatch("%d+") do numbers[#numbers + 1] = tonumber(number) end
      joined[#joined + 1] = string.char(numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], 255)
    end
  end
  return joined
end

-- Kaifa in Norway sends no codes: the number of values tells which they are.
local KAIFA = {}
for _, list in ipairs {
  codes { "1-0:1.7.0" }, codes(HEAD, ONE_PHASE), codes(HEAD, THREE_PHASES), codes(HEAD, ONE_PHASE, HOUR),
  codes(HEAD, THREE_PHASES, HOUR),
} do KAIFA[#list] = list end

local function read_positions(context, list)
  context.message.manufacturer = "Kaifa"
  for i, code in ipairs(KAIFA[#list]) do values.add(context, code, list[i], SCALES.Kaifa) end
end

--- Reads a list; returns true, or nil and an error when its layout is not known.
return function(context, list)
  if not is_list(list) or #list == 0 then return nil, "no list" end
  local first = list[1]
  if is_list(first) and values.is_code(first[1]) then
    read_structures(context, list)
  elseif is_list(first) and is_list(first[1]) and values.is_code(first[1][2]) then
    read_described(context, list)
  elseif values.is_code(first) or values.is_code(list[2]) then
    read_flat(context, list)
  elseif KAIFA[#list] then
    read_positions(context, list)
  else
    return nil, string.format("a list of %d values in an unknown layout", #list)
  end
  return true
end
