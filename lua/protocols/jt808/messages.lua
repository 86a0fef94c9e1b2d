-- The messages of JT/T 808 terminals by their ids. A row takes the body, the session and the header; it returns a
-- message, a list of them, or nil and an error.

local compact = require "protocols.jt808.compact"
local fields = require "protocols.jt808.fields"
local identity = require "protocols.jt808.identity"
local location = require "protocols.jt808.location"
local parameters = require "protocols.jt808.parameters"
local transparent = require "protocols.jt808.transparent"
local utf16 = require "utils.utf16"

local rows = {}

rows[0x0001] = function(body)
  if #body < 5 then return nil, "no answer" end
  local serial, message_id, result = string.unpack(">I2I2B", body)
  return { type = "command_response", answer_serial = serial, answer_to = message_id, result = result }
end

--- Trackers with a battery say how full it is.
rows[0x0002] = function(body)
  local message = { type = "heartbeat" }
  if #body < 3 then return message end
  local battery, signal, status = body:byte(1, 3)
  if battery <= 100 then message.battery = battery end
  message.rssi, message.status = signal, status
  return message
end
rows[0x0506] = function() return { type = "heartbeat" } end
rows[0x0003] = function() return { type = "logout" } end
rows[0x0004] = function() return { type = "time_request" } end
rows[0x0109] = rows[0x0004]
rows[0x1007] = function(body) return { type = "timezone", data_hex = mix.hex(body) } end

rows[0x0100] = identity.registration
rows[0x0102] = identity.authentication
rows[0x0107] = identity.attributes
rows[0x0702] = identity.driver
rows[0x0104] = parameters.decode

rows[0x0200] = function(body, session) return location.decode(body, 1, session.model) end

--- An answer: the serial number of what asked, and a position.
local function answered_location(body, session)
  if #body < 2 then return nil, "no position" end
  local message, err = location.decode(body, 3, session.model)
  if message then message.answer_serial = string.unpack(">I2", body) end
  return message, err
end
rows[0x0201] = answered_location
rows[0x0500] = answered_location

--- Positions from `at` on, each behind its length.
local function read_batch(body, at, header, session, archived)
  local list, size = {}, string.packsize(header)
  while #body >= at + size - 1 do
    local length, from = string.unpack(header, body, at)
    if #body < from + length - 1 then break end
    local message = location.decode(body:sub(from, from + length - 1), 1, session.model)
    if message then
      message.archived = archived
      list[#list + 1] = message
    end
    at = from + length
  end
  if #list == 0 then return nil, "no position" end
  return list
end

--- How many, what kind (1: sent late), positions.
rows[0x0704] = function(body, session)
  if #body < 3 then return nil, "no position" end
  if body:sub(1, 2) == "\0\0" then return { type = "empty" } end
  return read_batch(body, 4, ">I2", session, body:byte(3) > 0 or nil)
end

--- A shorter batch, or a battery's level and the time.
rows[0x0210] = function(body, session)
  if #body ~= 7 then return read_batch(body, 1, "B", session) end
  local message = { type = "status", time = fields.time(body, 2) }
  if body:byte(1) <= 100 then message.battery = body:byte(1) end
  return message
end

rows[0x5501] = function(body, _, header) return compact.decode(body, header.id) end
rows[0x5502] = rows[0x5501]

rows[0x0701] = function(body)
  if #body < 4 then return nil, "no text" end
  local length, at = string.unpack(">I4", body)
  return { type = "command_response", text = body:sub(at, at + length - 1) }
end

rows[0x6006] = function(body)
  return { type = "command_response", text = fields.text(body:sub(2)) }
end

rows[0x1300] = function(body)
  if #body < 2 then return nil, "no text" end
  return {
    type = "command_response", answer_serial = string.unpack(">I2", body),
    text = fields.text(utf16.to_utf8(body:sub(3))),
  }
end

--- The time, hour to hundredths of a millisecond, then frames of the vehicle's bus.
rows[0x0705] = function(body)
  local frames = {}
  for at = 8, #body - 11, 12 do
    local id, data = string.unpack(">I4c8", body, at)
    frames[#frames + 1] = { id = id & 0x1fffffff, extended = id & 0x40000000 ~= 0, data_hex = mix.hex(data) }
  end
  return { type = "can", frames = frames }
end

rows[0x0800] = function(body)
  if #body < 8 then return nil, "no event" end
  local id, kind, format, event, channel = string.unpack(">I4BBBB", body)
  return { type = "media_event", media_id = id, media_type = kind, format = format, event = event, channel = channel }
end

--- A picture, sound or film: its id and kind, where it was taken, its bytes.
rows[0x0801] = function(body, session, header)
  local message, err = rows[0x0800](body, session, header)
  if not message then return nil, err end
  message.type = "media"
  message.data = body:sub(location.base(message, body, 9) or 9)
  return message
end

rows[0x0900] = transparent.decode

--- Accelerations on three axes, sign and magnitude, with the time of each.
rows[0x2070] = function(body)
  local function signed(word) return word & 0x8000 ~= 0 and 0 - (word & 0x7fff) or word end
  local samples = {}
  for at = 1, #body - 11, 12 do
    local x, y, z = string.unpack(">I2I2I2", body, at + 6)
    samples[#samples + 1] = { time = fields.time(body, at), x = signed(x), y = signed(y), z = signed(z) }
  end
  return { type = "acceleration", samples = samples }
end

rows[0x8888] = function(body) return { type = "photo", data = body } end

return rows
