-- Heartbeats and states of GT06 devices.

local fields = require "protocols.gt06.fields"

local short, long = {}, {}

short[0x13] = function(body)
  local message = { type = "heartbeat" }
  if #body > 9 then return message end -- some model's own
  local at = fields.state(message, body, 1)
  if at and #body >= at + 1 then fields.alarm(message, body:byte(at)) end
  return message
end

short[0x23] = function(body)
  local message = { type = "heartbeat" }
  if #body < 4 then return message end
  local status, voltage, signal = string.unpack(">BI2B", body)
  fields.status(message, status)
  fields.signal(message, signal)
  message.battery_voltage = voltage / 100
  return message
end

--- Unix seconds in the first four bytes, then items.
local function timed_items(kind, at, read)
  return function(body)
    if #body < 4 then return nil, "no time" end
    local message = { type = kind, time = string.unpack(">I4", body) }
    read(message, fields.items(body, at, ">I2B"))
    return message
  end
end

long[0xf1] = timed_items("status", 6, function(message, items)
  message.voltage = fields.number(items[5], 2, 100)
end)
long[0xf2] = timed_items("status", 5, function(message, items)
  local battery = items[0x0c]
  if battery and #battery > 0 then message.external_battery = battery:byte() end
end)

--- Position and cell, each behind its length.
local function watch(kind)
  return function(body, session)
    local message = { type = kind }
    local at = fields.time(message, body, 1, session)
    local size = at and body:byte(at)
    if not size then return nil, "no position" end
    if size >= 12 and #body >= at + 12 then
      local satellites, latitude, longitude, speed, flags = string.unpack(">BI4I4BI2", body, at + 1)
      fields.position(message, latitude, longitude, flags)
      message.satellites, message.speed = satellites & 15, speed
    end
    at = at + 1 + size
    if body:byte(at) == 9 then
      local after = fields.cell(message, body, at + 1, fields.GSM)
      if after and #body >= after then fields.signal(message, body:byte(after)) end
    end
    return message
  end
end
long[0x32] = watch("location")
long[0x33] = watch("alarm")

--- Modules of Jimi's modular protocol: id, length, value.
long[0x70] = function(body)
  local items = fields.items(body, 1, ">I2I2")
  local message = { type = "status", time = fields.number(items[0x2c], 4) }
  message.battery_voltage = fields.number(items[0x18], 2, 100)
  local gps, tag = items[0x33], items[0x7f]
  if gps and #gps == 18 then
    local satellites, latitude, longitude, speed, flags
    message.type = "location"
    message.time, satellites, message.altitude, latitude, longitude, speed, flags =
      string.unpack(">I4Bi2I4I4BI2", gps)
    fields.position(message, latitude, longitude, flags)
    message.satellites, message.speed = satellites, speed
  end
  if tag and #tag >= 9 then
    message.tag = { id = mix.hex(tag:sub(1, 6)), battery = tag:byte(9) }
    if #tag >= 11 then message.tag.temperature = string.unpack(">i2", tag, 10) / 10 end
  end
  message.device_id = items[1] and fields.imei(items[1], 1)
  message.iccid = items[3] and mix.hex(items[3]):match("^%d+")
  message.odometer = fields.number(items[0x2e], 4)
  return message
end

return { short = short, long = long }
