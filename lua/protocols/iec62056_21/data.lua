-- Data sets of IEC 62056-21, 6.5: address(value*unit), several in a line, with more values in further parentheses.

local obis = require "utils.obis"

local data = {}

-- Beyond the quantities of utils/obis.lua, by C.D.E (letters: C 96, F 97).
local NAMES = {
  ["97.97.0"] = "error_code", ["96.1.0"] = "device_number", ["96.7.0"] = "power_failures", ["96.5.0"] = "status",
  ["0.1.0"] = "billing_periods", ["0.9.1"] = "time_of_day", ["0.9.2"] = "date",
  -- Heat meters.
  ["6.26.0"] = "volume", ["9.21.0"] = "device_number",
}

-- Whose value identifies the meter, the most telling first.
local IDENTIFIERS = { ["0.0.0"] = 1, ["96.1.0"] = 2, ["9.21.0"] = 3, ["0.0.1"] = 4 }

-- What the unit of a quantity ends with, by the begin of its name: codes of other media mean other things.
local UNITS = {
  { "^reactive_energy", "varh$" }, { "^reactive_power", "var$" },
  { "^apparent_energy", "vah$" }, { "^apparent_power", "va$" },
  { "^energy", "wh$" }, { "^power_factor", "^$" }, { "^power", "w$" }, { "^current", "a$" }, { "^voltage", "v$" },
  { "^frequency", "hz$" },
}

local function fits(name, unit)
  for _, row in ipairs(UNITS) do
    if name:find(row[1]) then return unit:lower():find(row[2]) ~= nil end
  end
  return true
end

--- The name of an address and whether it measures something, or the address itself.
local function name_of(address, unit)
  local a, _, c, d, e = obis.parse(address)
  if not a then return address end
  local key = c .. "." .. d .. "." .. e
  local name = NAMES[key]
  if name then return name, false, key end
  name = obis.name(a, c, d, e)
  if name and unit and not fits(name, unit) then name = c == 6 and d == 8 and "heat_energy" or nil end
  if not name then return address, false, key end
  local stored = tonumber(address:match("[*&](%d+)$"))
  return stored and stored < 255 and name .. "_history_" .. stored or name, not IDENTIFIERS[key], key
end

--- { address, groups } of each data set in a text; nil where there is none.
local function sets_of(text)
  local sets = {}
  for address, group in text:gmatch("([^()]*)%(([^()]*)%)") do
    address = address:gsub("[%c%s!]+", "")
    local last = sets[#sets]
    if address == "" and last then
      last.groups[#last.groups + 1] = group
    else
      sets[#sets + 1] = { address = address, groups = { group } }
    end
  end
  return #sets > 0 and sets or nil
end

--- Value and unit of what stands in parentheses; the unit may be missing.
function data.value(group)
  local value, unit = group:match("^([^*]*)%*(.+)$")
  return value or group, unit
end

local function value_of(set, asked)
  local text, unit = data.value(set.groups[1])
  local address = set.address ~= "" and set.address or asked or ""
  local name, measures, key = name_of(address, unit)
  local number = text:find("^%s*[+-]?%d+%.?%d*%s*$") and (unit or measures or text:find(".", 1, true)) and tonumber(text)
  local value = { name = name, value = number or text, unit = unit, obis = address }
  if #set.groups > 1 then value.more = { table.unpack(set.groups, 2) } end
  return value, key
end

-- Lists of values are bounded by the frame; unpacking them is by this.
local MAX_GROUPS = 200

--- Adds `values` and, where one of them tells, `device_id` to a message. `asked`: the address of values that come
-- without one. Returns the message, or nil and an error when there is no data set.
function data.read(message, text, asked)
  local sets = sets_of(text)
  if not sets then return nil, "no data set" end
  local rank = math.huge
  message.values = {}
  for i, set in ipairs(sets) do
    if #set.groups > MAX_GROUPS then return nil, string.format("more than %d values at one address", MAX_GROUPS) end
    local value, key = value_of(set, asked)
    message.values[i] = value
    local order = key and IDENTIFIERS[key]
    if order and order < rank and type(value.value) == "string" and value.value:find("%S") then
      rank, message.device_id = order, value.value
    end
  end
  return message
end

return data
