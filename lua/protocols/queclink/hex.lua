-- The HEX form: +RSP and +EVT (positions and events, stored: +BSP, +BVT), +INF (information, stored: +BNF), +ACK and
-- +HBD. Masks that are set in the device say which fields are there; all that follow the mask's own are optional.

local calendar = require "utils.calendar"
local compressed = require "protocols.queclink.compressed"

local hex = {}

-- Behind the fields of every frame: send time (7), count (2), CRC (2), 0d 0a.
local TAIL = 13
local TIME = 7

--- Year (2), month, day, hour, minute, second; nil for a date that does not exist.
local function time_at(bytes, at)
  if #bytes < at + TIME - 1 then return nil end
  local year, month, day, hour, minute, second = string.unpack(">I2BBBBB", bytes, at)
  return calendar.epoch(year, month, day, hour, minute, second)
end

--- Eight bytes that name the device: its IMEI, two digits each, or the first of its name.
local function identify(message, bytes, at)
  local id = bytes:sub(at, at + 7)
  local number = string.format("%s", (string.unpack(">i8", id)))
  message.device_id = ("0"):rep(15 - #number) .. number
  message.name = id:match("^([%g ]+)\0*$")
  if message.name then return end
  local digits = {}
  for i = 1, 7 do digits[i] = string.format("%02d", id:byte(i)) end
  local imei = table.concat(digits) .. string.format("%d", id:byte(8))
  if #imei == 15 then message.imei = imei end
end

-- Accuracy, speed, azimuth, altitude, coordinates; then time and cell, and one reserved byte, which may be masked off.
local POSITION = ">BI3I2i2i4i4"
local POSITION_SIZE = 31

--- Returns the index of what follows, or nil when it is not there.
local function position(message, bytes, at)
  if #bytes - TAIL < at + POSITION_SIZE - 1 then return nil end
  local hdop, speed, course, altitude, longitude, latitude, after = string.unpack(POSITION, bytes, at)
  local mcc, mnc, lac, cell = string.unpack(">I2I2I2I2", bytes, after + TIME)
  longitude, latitude = longitude / 1000000, latitude / 1000000
  message.time = time_at(bytes, after)
  message.hdop, message.speed, message.altitude = hdop, speed / 10, altitude
  if course <= 360 then message.course = course end
  message.valid = hdop > 0 and math.abs(latitude) <= 90 and math.abs(longitude) <= 180
  if math.abs(latitude) <= 90 and math.abs(longitude) <= 180 then
    message.latitude, message.longitude = latitude, longitude
  end
  -- Digits of the codes as they are written, one for each half byte.
  mcc, mnc = tonumber(string.format("%x", mcc)), tonumber(string.format("%x", mnc))
  if mcc and mnc and mcc > 0 then message.mcc, message.mnc, message.lac, message.cell = mcc, mnc, lac, cell end
  return at + POSITION_SIZE + 1
end

-- Bits of the mask of +RSP and +EVT: two bytes each for analog inputs, one for the state of inputs and outputs.
local ANALOG1, ANALOG3, INPUTS, OUTPUTS = 13, 15, 16, 17
-- GV200 has no percentage of its battery.
local GV200 = 0x01

--- Device type, protocol and firmware version; returns the index of what follows.
local function read_device(message, frame, at)
  local device, protocol, firmware, after = string.unpack(">BI2I2", frame, at)
  message.device_type, message.firmware = device, firmware
  message.protocol_version = string.format("%02X%04X", device, protocol)
  return after
end

--- Reads up to the inputs and outputs; returns the type of the message and the index of what follows.
local function head(message, frame)
  local kind, mask = string.unpack(">BI4", frame, 5)
  message.message_type = kind
  local at = read_device(message, frame, 12)
  identify(message, frame, at)
  at = at + 8
  if message.device_type ~= GV200 then
    message.battery = frame:byte(at) <= 100 and frame:byte(at) or nil
    at = at + 1
  end
  message.voltage = string.unpack(">I2", frame, at) / 1000
  at = at + 2
  local function has(bit) return (mask // 2 ^ bit) % 2 == 1 end
  for bit = ANALOG1, ANALOG3 do
    if has(bit) then
      message["adc" .. bit - ANALOG1 + 1], at = string.unpack(">I2", frame, at) / 1000, at + 2
    end
  end
  if has(INPUTS) then message.input, at = frame:byte(at), at + 1 end
  if has(OUTPUTS) then message.output, at = frame:byte(at), at + 1 end
  return kind, at
end

local function state(message, frame, at)
  message.motion_state, message.satellites = string.format("%02x", frame:byte(at)), frame:byte(at + 1)
  return at + 2
end

local GEOFENCE, INCOMING_CALL, COMPRESSED = 8, 3, 100

local function read_positions(frame, kind, at)
  if kind == COMPRESSED then return compressed(frame, at, #frame - TAIL) end
  at = at + 1 -- the report's id and type
  if kind == INCOMING_CALL then -- the phone number, in half bytes up to an f
    at = at + 1
    repeat
      local digits = frame:byte(at)
      at = at + 1
    until not digits or digits & 15 == 15 or digits & 0xf0 == 0xf0
  end
  local messages = {}
  local count = frame:byte(at) or 0
  at = at + 1
  for i = 1, count do
    local message = { type = "location" }
    at = position(message, frame, at)
    if not at then break end
    messages[i] = message
  end
  return messages
end

local function positions(message, frame)
  local kind, at = head(message, frame)
  if kind == GEOFENCE then at = at + 2 end
  local messages = read_positions(frame, kind, state(message, frame, at))
  for _, each in ipairs(messages) do
    for name, value in pairs(message) do each[name] = value end
  end
  return messages
end

-- What events carry before their position, in bytes.
local EVENT_SIZES = { [6] = 2, [45] = 7, [46] = 7, [15] = 3, [17] = 4, [21] = 5, [26] = 12, [31] = 2, [35] = 1, [33] = 1,
  [23] = 1, [34] = 3 }
local EVENT_ALARMS = { [6] = "low_battery", [31] = "jamming", [33] = "jamming", [23] = "accident" }
local IGNITION = { [45] = true, [46] = false }

local function event(message, frame)
  local kind, at = head(message, frame)
  at = state(message, frame, at) + (EVENT_SIZES[kind] or 0) + 1 -- and the number of positions, which is 1
  message.alarm, message.ignition = EVENT_ALARMS[kind], IGNITION[kind]
  position(message, frame, at)
  message.type = message.alarm and "alarm" or message.latitude and "location" or "status"
  return { message }
end

local function information(message, frame)
  message.type, message.message_type = "information", frame:byte(5)
  identify(message, frame, 10)
  read_device(message, frame, 18)
  return { message }
end

local function answer(message, frame)
  message.type, message.message_type = "command_response", frame:byte(5)
  local at = read_device(message, frame, 8)
  identify(message, frame, at)
  message.command, message.serial = string.unpack(">BI2", frame, at + 8)
  return { message }
end

-- Bits of the mask of +HBD.
local HBD_DEVICE, HBD_PROTOCOL, HBD_FIRMWARE, HBD_ID = 0x02, 0x04, 0x08, 0x80

local function heartbeat(message, frame)
  local mask, at = frame:byte(5), 7
  local device, protocol = 0, nil
  if mask & HBD_DEVICE ~= 0 then device, at = string.unpack("B", frame, at) end
  if mask & HBD_PROTOCOL ~= 0 then protocol, at = string.unpack(">I2", frame, at) end
  if mask & HBD_FIRMWARE ~= 0 then message.firmware, at = string.unpack(">I2", frame, at) end
  if mask & HBD_ID ~= 0 then identify(message, frame, at) end
  -- The acknowledgement repeats it; a device that left it out of its mask is content with its absence.
  message.type, message.protocol_version = "heartbeat", protocol and string.format("%02X%04X", device, protocol) or ""
  return { message }
end

local function opaque(message, frame)
  message.data_hex = mix.hex(frame:sub(5, -TAIL - 1))
  return { message }
end

local READERS = {
  RSP = positions, BSP = positions, EVT = event, BVT = event, INF = information, BNF = information, ACK = answer,
  HBD = heartbeat, CRD = opaque, BRD = opaque, LGN = opaque,
}
local BUFFERED = { BSP = true, BVT = true, BNF = true, BRD = true }
-- Up to the first field that no mask leaves out, and the tail.
local SHORTEST = {
  RSP = 46, BSP = 46, EVT = 46, BVT = 46, INF = 36, BNF = 36, ACK = 36, HBD = 19, CRD = 19, BRD = 19, LGN = 19,
}

--- Decodes one frame.
function hex.decode(frame)
  local kind = frame:sub(2, 4)
  local read = READERS[kind]
  if not read then return nil, "no @Track frame" end
  if #frame < SHORTEST[kind] then return nil, "too short" end
  local message = {
    report = kind, buffered = BUFFERED[kind], sent_at = time_at(frame, #frame - TAIL + 1),
    count = string.format("%04X", (string.unpack(">I2", frame, #frame - 5))),
  }
  local messages = read(message, frame)
  if #messages == 0 then messages[1] = message end
  for _, each in ipairs(messages) do
    each.type = each.type or "status"
    if not each.latitude then each.time = each.time or each.sent_at end
  end
  return #messages > 1 and messages or messages[1]
end

return hex
