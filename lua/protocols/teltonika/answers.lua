-- What Teltonika devices say in text: answers to commands, and what came in on their serial ports.
--
--   codec 12            type (1) · length (4) · content
--   codec 13            type (1) · length (4) · Unix seconds (4) · content
--   codec 14            type (1) · length (4) · IMEI (8) · content
--   codec 15            type (1) · length (4) · Unix seconds (4) · IMEI (8) · content

local camera = require "protocols.teltonika.camera"

local answers = {}

local CODECS = {
  [0x0c] = {},
  [0x0d] = { time = true },
  [0x0e] = { imei = true },
  [0x0f] = { time = true, imei = true },
}
-- Of codec 14: the command was for another device.
local RESPONSE, REFUSED = 0x06, 0x11

--- Weights of axles, as OnBoard scales send them.
local function read_axles(message, text)
  local list = text:match("^UUUUww(.*);SSS$")
  if not list then return end
  local values = mix.str_split(list, ";")
  if #values < 12 then return end
  for i, value in ipairs(values) do values[i] = tonumber(value) end
  message.type, message.text = "axle_loads", nil
  message.axles = { table.unpack(values, 1, 8) }
  message.load_truck, message.load_trailer = values[9], values[10]
  message.total_truck, message.total_trailer = values[11], values[12]
end

local function read_content(message, content)
  if content:find("[^\t\r\n -\xff]") then
    message.data_hex = mix.hex(content)
    return
  end
  local text = content:match("^%s*(.-)%s*$")
  message.text = text
  -- A Garmin terminal logs a driver in.
  if text:find("^GTSL|") then message.driver_id = mix.str_split(text, "|")[5] end
  read_axles(message, text)
end

local function read_item(layout, kind, content)
  local message, at = { type = "command_response" }, 1
  if layout.time then
    if #content < at + 3 then return nil end
    message.time, at = string.unpack(">I4", content, at)
  end
  if layout.imei then
    local digits = #content >= at + 7 and mix.bcd(content:sub(at, at + 7))
    message.device_id = digits and digits:match("^0(%d+)$") or nil
    at = at + 8
  end
  if kind == REFUSED then message.refused = true elseif kind ~= RESPONSE then message.serial_type = kind end
  read_content(message, content:sub(at))
  return message
end

--- Reads `count` items from `at` on; a list of messages, nil for none, or nil and an error.
function answers.decode(codec, count, frame, at, session)
  local layout = CODECS[codec]
  if not layout then return nil, string.format("unknown codec 0x%02x", codec) end
  local list = {}
  for _ = 1, count do
    if #frame < at + 4 then return nil, "an answer is cut off" end
    local kind, length, from = string.unpack(">BI4", frame, at)
    if #frame < from + length - 1 then return nil, "an answer is cut off" end
    local content = frame:sub(from, from + length - 1)
    local message
    if kind == camera.TYPE and codec == 0x0c then
      local err
      message, err = camera.decode(content, session)
      if err then return nil, err end
    else
      message = read_item(layout, kind, content)
    end
    if message then
      message.device_id = message.device_id or session.device_id
      list[#list + 1] = message
    end
    at = from + length
  end
  return #list > 0 and list or nil
end

return answers
