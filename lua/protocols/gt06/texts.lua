-- What GT06 devices say in text: answers to commands, information, diagnostics, requests.

local calendar = require "utils.calendar"
local fields = require "protocols.gt06.fields"
local utf16 = require "utils.utf16"

local short, long = {}, {}

local function printable(text) return (text:gsub("%z+$", "")) end

--- The answer to a command: length of server flag and content, server flag, content, language.
local function answer(body)
  if #body < 5 then return nil, "no answer" end
  local size, flag = string.unpack(">BI4", body)
  local last = size >= 4 and size + 1 or #body - 2
  local text = printable(body:sub(6, last))
  return { type = "command_response", server_flag = flag, text = text, iccid = text:match("ICCID:(%d+)") }
end
short[0x15] = answer
short[0x81] = answer

local LOCATED = "Lat:([NS])([%d.]+),Lon:([EW])([%d.]+),Course:([%d.]+),Speed:([%d.]+)," ..
  "DateTime:(%d+)%-(%d+)%-(%d+)%s+(%d+):(%d+):(%d+)"

--- Some answers tell a position in words.
local function read_position(message, text, session)
  local ns, latitude, ew, longitude, course, speed, year, month, day, hour, minute, second = text:match(LOCATED)
  if not ns then return end
  latitude, longitude = tonumber(latitude), tonumber(longitude)
  local time = calendar.epoch(tonumber(year), tonumber(month), tonumber(day), tonumber(hour), tonumber(minute),
    tonumber(second))
  message.time = time and time - (session.timezone or 0)
  if not latitude or not longitude or latitude > 90 or longitude > 180 then return end
  message.latitude = ns == "N" and latitude or 0 - latitude
  message.longitude = ew == "E" and longitude or 0 - longitude
  message.course, message.speed, message.valid = tonumber(course), tonumber(speed), true
end

--- The answer to an online command: server flag, encoding (1 ASCII, 2 UTF-16), content.
long[0x21] = function(body, session)
  if #body < 5 then return nil, "no answer" end
  local flag, encoding = string.unpack(">I4B", body)
  local text = printable(encoding == 2 and utf16.to_utf8(body:sub(6)) or body:sub(6))
  local message = { type = "command_response", server_flag = flag, text = text }
  read_position(message, text, session)
  return message
end

short[0x9b] = function(body)
  local data = body:sub(2)
  local text = data:find("^[\r\n\t -~]*$") and data:gsub("[\r\n]+$", "") or mix.hex(data)
  return { type = "serial_data", text = text }
end

-- Information transmission (0x94) by its first byte.
local information = {
  [0x00] = function(message, data) message.voltage = fields.number(data, 2, 100) end,
  [0x04] = function(message, data) message.text = printable(data) end,
  [0x05] = function(message, data, session)
    local at = fields.time(message, data, 1, session)
    local inputs = at and data:byte(at)
    if inputs then message.door, message.io1 = inputs & 1 ~= 0, inputs & 4 ~= 0 end
  end,
  [0x0a] = function(message, data)
    message.device_id = fields.imei(data, 1)
    local imsi, iccid = mix.hex(data:sub(9, 16)), mix.hex(data:sub(17, 26))
    message.imsi, message.iccid = imsi:match("^0?(%d+)"), iccid:match("^%d+")
  end,
  [0x0d] = function(message, data, session)
    fields.time(message, data, 1, session)
    message.text = printable(data:sub(7))
    local temperature, fuel = message.text:match("^!AIOIL,%w+,[%d.]+,([%d.]+),%w+,%w+,([%d.]+)")
    message.temperature, message.fuel = tonumber(temperature), tonumber(fuel)
  end,
  [0x1e] = function(message, data)
    if #data < 8 then return end
    local temperature, humidity = string.unpack(">i4I4", data)
    message.temperature, message.humidity = temperature / 10, humidity / 10
  end,
}

long[0x94] = function(body, session)
  local kind = body:byte(1)
  if not kind then return nil, "no information" end
  local message = { type = "information", information = kind }
  local read = information[kind]
  if read then read(message, body:sub(2), session) else message.data_hex = mix.hex(body:sub(2)) end
  return message
end

short[0x94] = function(body) return { type = "information", voltage = fields.number(body, 2, 100) } end

long[0xfd] = function(body)
  local message = { type = "information", device_id = fields.imei(body, 1) }
  message.text = body:match("%[[ -~]+$")
  return message
end

--- Vehicle diagnostics: time, whether the engine runs, a list of hexadecimal values by their ids.
local function diagnostics(body, session)
  local message = { type = "obd" }
  local at = fields.time(message, body, 1, session)
  if not at then return nil, "no time" end
  if #body >= at then message.ignition = body:byte(at) ~= 0 end
  local values = {}
  for id, value in body:sub(at + 1):gmatch("(%w+)=(%w*)") do values[id] = value end
  message.obd = values
  return message
end
long[0x8c] = diagnostics
long[0x66] = diagnostics

--- Asks for the address of a position in text: position, the phone number of who asked, language.
local function address_request(body, session)
  local message = { type = "address_request" }
  local at = fields.gps(message, body, 1, session)
  if at then message.phone = body:sub(at, at + 20):match("^[+%d]+") end
  return message
end
short[0x1a] = address_request
short[0x2a] = address_request

--- The same by the serving cell.
local function cell_address_request(layout)
  return function(body)
    local message = { type = "address_request" }
    local at = fields.cell(message, body, 1, layout)
    if at then message.phone = body:sub(at, at + 20):match("^[+%d]+") end
    return message
  end
end
short[0x17] = cell_address_request(fields.GSM)
short[0xa7] = cell_address_request(fields.LTE_WIDE)

short[0x8a] = function() return { type = "time_request" } end

return { short = short, long = long }
