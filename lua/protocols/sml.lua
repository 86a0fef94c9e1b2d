-- SML, Smart Message Language 1.03 and 1.04 (BSI TR-03109-1, annex IV): electricity meters of Germany and Austria,
-- which push a file every few seconds by their optical interface (9600 8N1).
--
--   1b 1b 1b 1b 01 01 01 01 · messages · padding · 1b 1b 1b 1b 1a padding CRC-16/X-25 (little-endian)
--
-- A file holds an open, one or more answers and a close; the answers become messages:
-- { type = "list", device_id, values = { { name, obis, value, unit, status?, hex? }, … }, time?, seconds_index? }.
-- `device_id` is the server id in hexadecimal digits; `meter_number` how it is printed on the meter (DIN 43863-5).
-- Most meters know no date: they count seconds (`seconds_index`). Values are scaled: Wh, W, V.
-- Early DZG meters (DVS-74) send power above 327.67 W in an Integer16, so that it reads as negative; no frame tells.

local tlv = require "protocols.sml.tlv"
local bodies = require "protocols.sml.bodies"

--- "1ISK0067362659" of a server id of DIN 43863-5: medium, manufacturer, block, number.
local function meter_number(device_id)
  local bytes = device_id and #device_id == 20 and mix.unhex(device_id)
  if not bytes or not bytes:find("^[\9\10][\1-\9]%u%u%u") then return nil end
  local medium, block, number = bytes:byte(2), bytes:byte(6), string.unpack(">I4", bytes, 7)
  return string.format("%d%s%02X%08d", medium, bytes:sub(3, 5), block, number)
end

--- Adds a message, with what it does not say but the file does.
local function add(messages, message, transfer)
  message.device_id = message.device_id or transfer.device_id
  message.time = message.time or transfer.time
  message.meter_number = meter_number(message.device_id)
  messages[#messages + 1] = message
end

local function decode(frame)
  local at, messages, transfer = 1, {}, {}
  while at <= #frame do
    -- Between messages there may be more padding than is counted.
    if frame:byte(at) == 0 then
      at = at + 1
    else
      local message, after, err = tlv.message(frame, at)
      if not message then return nil, string.format("message at byte %d: %s", at, err) end
      at = after
      local read = bodies[message.tag]
      local result
      if not read then
        result = { type = "unknown", tag = message.tag }
      elseif type(message.body) == "table" then
        result = read(message.body, transfer)
      end
      if result and result.type then
        add(messages, result, transfer)
      elseif result then
        for _, each in ipairs(result) do add(messages, each, transfer) end
      end
    end
  end
  return messages
end

return {
  name = "sml",
  frame = mix.frame.sml {},
  decode = decode,
}
