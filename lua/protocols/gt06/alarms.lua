-- Alarms of GT06 devices, most with a position.

local fields = require "protocols.gt06.fields"

local short = {}

--- An alarm with its position. A length precedes the cell in most, which models count differently: it tells nothing.
-- `layout`, `tail` and `lte` are those of `location` in positions.lua.
local function alarm(layout, tail, lte)
  return function(body, session)
    local message = { type = "alarm" }
    local at = fields.gps(message, body, 1, session)
    if not at then return nil, "no position" end
    local rest = #body - at + 1
    if rest >= 51 and body:byte(at) == 0 then
      at = at + 46 -- no cell, in the room for five
    else
      if rest ~= 13 then at = at + 1 end
      at = fields.cell(message, body, at, rest == lte and fields.GSM_LTE or layout)
    end
    at = fields.state(message, body, at)
    if at and #body >= at then
      fields.alarm(message, body:byte(at))
      if tail then tail(message, body, at + 2, #body - at - 1) end
    end
    return message
  end
end

local function driver_tail(message, body, at, rest)
  if rest == 8 then message.driver_id = mix.hex(body:sub(at)) end
end

local function fence_tail(message, body, at, rest)
  if rest >= 1 then message.geofence = body:byte(at) end
end

short[0x16] = alarm(fields.GSM, driver_tail, 15)
short[0x26] = alarm(fields.GSM, fence_tail)
short[0x27] = short[0x26]
short[0x32] = alarm(fields.LTE, function(message, body, at, rest)
  if rest >= 2 then message.altitude = string.unpack(">i2", body, at) end
end)
short[0xa4] = alarm(fields.LTE_WIDE, fence_tail)

local geofence = alarm(fields.LTE_WIDE, fence_tail)
short[0xa3] = function(body, session)
  if #body == 7 then -- a vehicle's tracker
    local message = { type = "status" }
    fields.alarm(message, body:byte(fields.state(message, body, 1)))
    return message
  end
  if #body ~= 19 then return geofence(body, session) end
  local message = { type = "status", steps = string.unpack(">I4", body, 10) } -- a pet's or person's tracker
  fields.signal(message, body:byte(5))
  fields.battery(message, body:byte(14))
  return message
end

short[0xa5] = function(body)
  local message = { type = "alarm" }
  local at = fields.state(message, body, fields.cell(message, body, 1, fields.LTE_WIDE))
  if at and #body >= at then fields.alarm(message, body:byte(at)) end
  return message
end

--- The cell and the state; where a date comes first, some models' list of cells.
short[0x19] = function(body, session)
  local message = { type = "alarm" }
  if #body >= 18 then
    fields.cell(message, body, fields.time(message, body, 1, session), fields.GSM)
    return message
  end
  local at = fields.state(message, body, fields.cell(message, body, 1, fields.GSM))
  if at and #body >= at then fields.alarm(message, body:byte(at)) end
  return message
end

local DASHCAM_ALARMS = {
  [0x80] = "vibration", [0x87] = "overspeed", [0x88] = "power_cut", [0x90] = "hard_acceleration",
  [0x91] = "hard_braking", [0x92] = "hard_cornering", [0x93] = "accident",
}

--- A dash camera's event: time, sometimes the position, the event and the names of the files it recorded.
short[0x95] = function(body, session)
  local message = { type = "alarm" }
  local at
  if body:sub(1, 2) == "\xff\xff" then
    if #body < 27 then return nil, "no position" end
    at = fields.time(message, body, 4, session)
    local satellites, latitude, longitude, flags, speed, voltage
    satellites, latitude, longitude, flags, speed, voltage, at = string.unpack(">BI4I4I2I2I2", body, at)
    fields.position(message, latitude, longitude, flags)
    message.satellites, message.speed, message.voltage = satellites & 15, speed, voltage / 10
  else
    at = fields.time(message, body, 1, session)
    if at and #body >= 19 then
      local latitude, longitude, flags
      latitude, longitude, flags, at = string.unpack(">I4I4I2", body, at)
      fields.position(message, latitude, longitude, flags)
    end
  end
  local event = at and body:byte(at)
  if not event then return nil, "no event" end
  message.event = event
  message.alarm = DASHCAM_ALARMS[event]
  if event == 1 then
    local reason = #body >= at + 2 and string.unpack(">I2", body, at + 1)
    message.alarm = reason == 0 and "sos" or "general"
  end
  if #body > at + 2 then message.event_files = body:sub(at + 3) end
  return message
end

return { short = short, long = {} }
