-- The HEX form: +RSP and +EVT (positions and events, stored: +BSP, +BVT), +INF (information, stored: +BNF), +ACK and
-- +HBD. Masks that are set in the device say which fields are there; all that follow the mask's own are optional.

local calendar = require "utils.calendar"

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
  message.device_id = string.format("%015s", tostring((string.unpack(">i8", id)))):gsub(" ", "0")
  message.name = id:match("^([%g ]+)\0*$")
  if message.name then return end
  local digits = {}
  for i = 1, 7 do digits[i] = string.format("%02d", id:byte(i)) end
  local imei = table.concat(digits) .. string.format("%d", id:byte(8))
  if #imei == 15 then message.imei = imei end
end

--- Accuracy, speed, azimuth, altitude, coordinates, time, cell: 30 bytes, one reserved. Returns what follows, or nil.
local POSITION = ">BI3I2i2i4i4"
local POSITION_SIZE = 31

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
  return at + POSITION_SIZE
end

-- Bits of the mask of +RSP and +EVT: two bytes each for analog inputs, one for the state of inputs and outputs.
local ANALOG1, ANALOG3, INPUTS, OUTPUTS = 13, 15, 16, 17
-- GV200 has no percentage of its battery.
local GV200 = 0x01

--- Reads up to the satellites; returns what follows, and the mask.
local function head(message, frame)
  local kind, mask, _, device, protocol, firmware, at = string.unpack(">BI4I2BI2I2", frame, 5)
  message.message_type, message.device_type, message.firmware = kind, device, firmware
  message.protocol_version = string.format("%02X%04X", device, protocol)
  identify(message, frame, at)
  at = at + 8
  if device ~= GV200 then
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

--- Reads `count` bits behind the first `from` of the number `bits`, which has `size`.
local function bits_at(bits, size, from, count, signed)
  local value = bits // 2 ^ (size - from - count) % 2 ^ count
  return signed and value >= 2 ^ (count - 1) and value - 2 ^ count or value
end

local function compressed_position(base, longitude, latitude, speed, course, time)
  local message = {}
  for name, value in pairs(base) do message[name] = value end
  message.type, message.time, message.valid = "location", time, true
  message.longitude, message.latitude, message.speed = longitude / 1000000, latitude / 1000000, speed / 10
  message.course = course >= 0 and course <= 360 and course or nil
  if math.abs(message.latitude) > 90 or math.abs(message.longitude) > 180 then
    message.latitude, message.longitude, message.valid = nil, nil, false
  end
  return message
end

--- One position a second: whole ones, and differences to the one before.
local function compressed(message, frame, at)
  local last = #frame - TAIL
  local messages = {}
  local longitude, latitude, speed, course, time
  local count
  count, at = string.unpack(">I2", frame, at)
  for _ = 1, count do
    if at > last then break end
    local kind = frame:byte(at) >> 6
    time = time and time + 1
    if kind == 1 and at + 10 <= last then
      local packed
      packed, longitude, latitude, at = string.unpack(">I3i4i4", frame, at)
      speed, course = bits_at(packed, 24, 3, 12), bits_at(packed, 24, 15, 9)
      if not time then
        if at + 3 > last then break end
        time, at = string.unpack(">I4", frame, at)
      end
      messages[#messages + 1] = compressed_position(message, longitude, latitude, speed, course, time)
    elseif kind == 2 and longitude and at + 4 <= last then
      local packed
      packed, at = string.unpack(">I5", frame, at)
      speed, course = speed + bits_at(packed, 40, 3, 7, true), course + bits_at(packed, 40, 10, 7, true)
      longitude, latitude = longitude + bits_at(packed, 40, 17, 12, true), latitude + bits_at(packed, 40, 29, 11, true)
      messages[#messages + 1] = compressed_position(message, longitude, latitude, speed, course, time)
    else
      at = at + 1 -- no fix, or as before
    end
  end
  return messages
end

local function positions(message, frame)
  local kind, at = head(message, frame)
  if kind == GEOFENCE then at = at + 2 end
  at = state(message, frame, at)
  if kind == COMPRESSED then return compressed(message, frame, at) end
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
    local copy = {}
    for name, value in pairs(message) do copy[name] = value end
    at = position(copy, frame, at)
    if not at then break end
    copy.type = "location"
    messages[i] = copy
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
  local device, protocol, firmware = string.unpack(">BI2I2", frame, 18)
  message.device_type, message.firmware = device, firmware
  message.protocol_version = string.format("%02X%04X", device, protocol)
  return { message }
end

local function answer(message, frame)
  message.type, message.message_type = "command_response", frame:byte(5)
  local device, protocol, firmware, at = string.unpack(">BI2I2", frame, 8)
  message.device_type, message.firmware = device, firmware
  message.protocol_version = string.format("%02X%04X", device, protocol)
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
