-- What the bodies of SML messages are made of (SML 1.04, 5 and 7): times, values with their OBIS codes, trees. The
-- readers take what `tlv` read and return nil for what is not set or not of the expected type.

local obis = require "utils.obis"
local units = require "utils.dlms_units"

local fields = {}

local SECONDS_INDEX, TIMESTAMP, LOCAL_TIMESTAMP = 1, 2, 3
-- Exponents beyond these are damage, not measurements.
local MAX_SCALER = 30
local MAX_DEPTH = 8

--- A list with its count `n`, or an empty one.
function fields.list(value)
  return type(value) == "table" and value or { n = 0 }
end

--- Octets as hexadecimal digits.
function fields.hex(value)
  return type(value) == "string" and mix.hex(value) or nil
end

--- Unix seconds of an SML_Time and the meter's own count of seconds, either of which may be nil: most meters know no
-- date. Holley sends the count alone.
function fields.time(value)
  if type(value) == "number" then return nil, value end
  if type(value) ~= "table" then return nil end
  local kind, content = value[1], value[2]
  if kind == LOCAL_TIMESTAMP and type(content) == "table" then
    kind, content = TIMESTAMP, content[1]
  end
  if type(content) ~= "number" then return nil end
  -- A clock that was never set stands at 0.
  if content == 0 then return nil end
  if kind == TIMESTAMP then return content end
  if kind == SECONDS_INDEX then return nil, content end
end

--- A value as it is reported, and its hexadecimal digits where it is text. Octets that are no text are reported as
-- hexadecimal digits.
local function plain(value, scaler)
  if type(value) == "number" then
    if type(scaler) ~= "number" or scaler == 0 or math.abs(scaler) > MAX_SCALER then return value end
    -- Dividing keeps 54301577 / 10 the number nearest to 5430157.7.
    return scaler < 0 and value / 10 ^ (0 - scaler) or value * 10 ^ scaler
  end
  if type(value) == "string" then
    if value:find("^[\32-\126]+$") then return value, mix.hex(value) end
    return mix.hex(value)
  end
  if type(value) == "table" then
    local time, seconds = fields.time(value)
    return time or seconds
  end
  return value
end

--- { name, obis, value, unit } of an OBIS code's six bytes, a value, its unit and its scaler.
function fields.reading(code, value, unit, scaler)
  local text = type(code) == "string" and obis.text(code)
  if not text then return { name = fields.hex(code) or "unnamed", value = plain(value, scaler) } end
  local a, _, c, d, e = code:byte(1, 5)
  local reading = { name = obis.name(a, c, d, e) or text, obis = text, unit = units[unit] }
  reading.value, reading.hex = plain(value, scaler)
  return reading
end

--- SML_List (5.6): entries of code, status, time, unit, scaler, value, signature.
function fields.entries(list)
  local readings = {}
  list = fields.list(list)
  for i = 1, list.n do
    local entry = fields.list(list[i])
    local reading = fields.reading(entry[1], entry[6], entry[4], entry[5])
    reading.status = entry[2]
    reading.time, reading.seconds_index = fields.time(entry[3])
    readings[i] = reading
  end
  return readings
end

--- SML_PeriodEntry (5.5): code, unit, scaler, value, signature.
function fields.period_entry(entry)
  return fields.reading(entry[1], entry[4], entry[2], entry[3])
end

-- SML_ProcParValue: what each kind of it holds.
local PARAMETERS = {
  [1] = function(code, value) return fields.reading(code, value) end,
  [2] = function(_, value) return fields.period_entry(fields.list(value)) end,
  [4] = function(code, value)
    local reading = fields.reading(code)
    local time, seconds = fields.time(value)
    reading.value = time or seconds
    return reading
  end,
  [5] = function(_, value) return fields.entries({ n = 1, value })[1] end,
}

--- SML_Tree (5.7): each parameter that has a value, in order, in one list.
function fields.tree(tree, readings, depth)
  readings, depth = readings or {}, depth or 0
  tree = fields.list(tree)
  local choice = fields.list(tree[2])
  local read = PARAMETERS[choice[1]]
  if read then readings[#readings + 1] = read(tree[1], choice[2]) end
  if depth < MAX_DEPTH then
    local children = fields.list(tree[3])
    for i = 1, children.n do fields.tree(children[i], readings, depth + 1) end
  end
  return readings
end

--- A path of parameter names: OBIS codes joined by "/".
function fields.path(path)
  local names = {}
  path = fields.list(path)
  for i = 1, path.n do
    local code = path[i]
    if type(code) == "string" then names[#names + 1] = obis.text(code) or mix.hex(code) end
  end
  return #names > 0 and table.concat(names, "/") or nil
end

return fields
