-- The parameters of a terminal (JT/T 808-2019, table 12): ids of four bytes, a length, a value.

local fields = require "protocols.jt808.fields"

local parameters = {}

local NAMES = {
  [0x0001] = "heartbeat_interval", [0x0010] = "apn", [0x0013] = "server", [0x0018] = "port",
  [0x0020] = "report_strategy", [0x0027] = "sleep_report_interval", [0x0028] = "emergency_report_interval",
  [0x0029] = "report_interval", [0x002c] = "report_distance", [0x0055] = "overspeed_threshold",
  [0x0056] = "overspeed_duration", [0x0080] = "odometer", [0x0083] = "plate", [0x0084] = "plate_color",
}

--- Texts, as opposed to numbers.
local function is_text(id)
  return id >= 0x10 and id <= 0x17 or id == 0x1a or id == 0x1d or id >= 0x23 and id <= 0x26 or
    id >= 0x40 and id <= 0x44 or id >= 0x48 and id <= 0x49 or id == 0x83
end

local function value_of(id, value)
  if is_text(id) then return fields.text(value) end
  if #value == 1 or #value == 2 or #value == 4 then return (string.unpack(">I" .. #value, value)) end
  return mix.hex(value)
end

--- The answer to 8104 and 8106: serial number of what asked, number of parameters, parameters.
function parameters.decode(body)
  if #body < 3 then return nil, "no parameters" end
  local message = { type = "parameters", answer_serial = string.unpack(">I2", body), parameters = {} }
  fields.items(body, 4, ">I4B", function(id, value)
    local list = message.parameters
    list[#list + 1] = { id = id, name = NAMES[id], value = value_of(id, value) }
    if id == 0x0080 and #value == 4 then message.odometer = string.unpack(">I4", value) * 100 end
  end)
  return message
end

--- The body of 8103 for a list of { id, value }; a value is its bytes. Nil and an error for others.
function parameters.encode(list)
  local parts = {}
  if type(list) ~= "table" or #list < 1 or #list > 255 then return nil, "parameters must be a list of 1 to 255" end
  for i, parameter in ipairs(list) do
    local id, value = type(parameter) == "table" and parameter.id, type(parameter) == "table" and parameter.value
    if type(id) ~= "number" or id % 1 ~= 0 or id < 0 or id > 0xffffffff then
      return nil, "parameter " .. i .. ": id must be a whole number of 32 bits"
    end
    if type(value) ~= "string" or #value > 255 then
      return nil, "parameter " .. i .. ": value must be a string of at most 255 bytes"
    end
    parts[i] = string.pack(">I4s1", id, value)
  end
  return string.char(#list) .. table.concat(parts)
end

return parameters
