-- Items behind a position that vendors added, by id; several vendors share most ids, and the length of the value or
-- what is in it tells them apart.

local fields = require "protocols.jt808.fields"
local lists = require "protocols.jt808.lists"
local obd = require "protocols.jt808.obd"
local sensors = require "protocols.jt808.sensors"

local number, alarm = fields.number, fields.alarm

local function driver_card(message, value)
  if #value >= 4 then message.driver_id = string.format("%d", (string.unpack(">I4", value))) end
end

--- A battery's level in one byte; ff: it is being charged.
local function level(message, value)
  local percent = value:byte(1)
  if percent == 0xff then message.charging = true elseif percent <= 100 then message.battery = percent end
end

local function level_or_card(message, value)
  if #value == 1 then level(message, value) else driver_card(message, value) end
end

--- Country, network, then cells of area (3), number (4) and signal (1).
local function wide_cells(message, value)
  local mcc, mnc = string.unpack(">I2I2", value)
  for at = 5, #value - 7, 8 do
    local area, cell, signal = string.unpack(">I3I4B", value, at)
    if area <= 0xffff and cell <= 0xfffffff then fields.cell(message, mcc, mnc, area, cell, signal) end
  end
end

local function access_points(message, value)
  if #value % 7 ~= 0 then return end
  for at = 1, #value, 7 do
    fields.wifi(message, mix.hex(value:sub(at, at + 5)), (string.unpack("i1", value, at + 6)))
  end
end

--- Electronic locks: what was done, by which card or with which password, and whether it opened.
local function lock(message, value)
  if #value < 1 then return end
  message.lock_command = value:byte(1)
  if #value == 5 or #value == 6 then message.lock_card = string.unpack(">I4", value, 2) end
  if #value % 2 == 0 then message.unlock_result = value:byte(#value >= 7 and 8 or #value >= 5 and 6 or 2) end
end

local DRIVING = { "hard_acceleration", "hard_braking", "hard_cornering", [0x16] = "accident" }

local rows = {
  [0x0b] = lock,
  [0x33] = function(message, value)
    if #value == 1 then
      message.mode = value:byte()
    else -- of an electronic lock: "*M00", …, the voltage in hundredths
      local voltage = value:match("^%*M00....%d%d(%d%d%d)")
      message.battery_voltage = voltage and tonumber(voltage) / 100
    end
  end,
  [0x56] = function(message, value)
    local tenths = value:byte(1)
    if tenths and tenths <= 10 then message.battery = tenths * 10 end
  end,
  [0x57] = function(message, value)
    if #value < 2 then return end
    fields.alarms(message, string.unpack(">I2", value),
      { [8] = "hard_acceleration", [9] = "hard_braking", [10] = "hard_cornering" })
  end,
  [0x60] = function(message, value)
    if #value < 2 then return end
    message.event = string.unpack(">I2", value)
    if message.event >= 0x61 and message.event <= 0x66 and #value >= 16 then
      message.driver_id = fields.text(value:sub(9, 16))
    end
  end,
  [0x63] = lists.locks,
  [0x67] = function(message, value)
    if #value == 8 then message.password = fields.text(value) end
  end,
  [0x68] = number("battery", 2, 100, 100),
  [0x70] = function(message, value)
    if #value >= 6 and DRIVING[value:byte(6)] then alarm(message, DRIVING[value:byte(6)]) end
  end,
  [0x77] = lists.tires,
  [0xac] = number("odometer", 4),
  [0xbc] = fields.string "driver",
  [0xbd] = fields.string "driver_id",
  [0xd0] = function(message, value)
    if #value >= 4 and string.unpack(">I4", value) & 8 ~= 0 then alarm(message, "vibration") end
  end,
  [0xd3] = number("voltage", 2, 10),
  [0xd4] = level_or_card,
  [0xd5] = function(message, value)
    if #value == 2 then message.battery_voltage = string.unpack(">I2", value) / 100
    else lists.padlocks(message, value) end
  end,
  [0xda] = function(message, value)
    if #value < 3 then return end
    local state = value:byte(3)
    message.string_closed, message.motion, message.cover = state & 1 ~= 0, state & 4 ~= 0, state & 8 ~= 0
  end,
  [0xe1] = function(message, value)
    if #value >= 12 and (#value - 4) % 8 == 0 then wide_cells(message, value)
    elseif #value == 2 then message.voltage = string.unpack(">I2", value) / 10
    else level_or_card(message, value) end
  end,
  [0xe2] = number("fuel", 4, 10),
  [0xe3] = function(message, value)
    if #value < 4 then return end
    local percent, voltage = string.unpack(">BI2", value, 2)
    if percent <= 100 then message.battery = percent end
    message.battery_voltage = voltage / 100
  end,
  [0xe4] = function(message, value)
    if #value < 2 then return end
    local discharging, percent = value:byte(1, 2)
    if discharging == 0 then message.charging = true end
    if percent <= 100 then message.battery = percent end
  end,
  [0xe5] = function(message, value)
    if #value == 1 then message.motion = value:byte() == 1 end
  end,
  [0xe6] = function(message, value)
    if value:find("^%$OBD%-RT") then obd.sentence(message, value) else sensors.probes(message, value) end
  end,
  [0xe7] = function(message, value)
    if #value ~= 8 then return end
    fields.alarms(message, string.unpack(">I2", value), { [0] = "vibration", "sos", "sos", "sos" })
  end,
  [0xe8] = function(message, value)
    if #value == 3 then message.lock_status = string.unpack(">I3", value) else lists.jimi(message, value) end
  end,
  [0xe9] = level_or_card,
  [0xea] = sensors.external,
  [0xeb] = lists.extended,
  [0xec] = access_points,
  [0xed] = fields.string "card",
  [0xee] = function(message, value)
    if #value == 6 then
      local signal, voltage, battery, satellites = string.unpack(">BI2I2B", value)
      message.rssi, message.voltage, message.battery_voltage = signal, voltage / 1000, battery / 1000
      message.satellites = satellites
    elseif #value == 10 then
      fields.cell(message, string.unpack(">I2BI2I4B", value))
    end
  end,
  [0xf0] = function(message, value)
    for at = 1, #value - 12, 13 do
      local mcc, mnc, cell, area, signal = string.unpack(">I2I2I4I4B", value, at)
      fields.cell(message, mcc, mnc, area, cell, signal)
    end
  end,
  [0xf1] = number("voltage", 4, 1000),
  [0xf2] = fields.string "firmware",
  [0xf3] = function(message, value)
    local is_aovx = message.firmware and message.firmware:find("^AOVX_")
    if is_aovx then sensors.tags(message, value) else obd.list(message, value) end
  end,
  [0xf4] = access_points,
  [0xf5] = function(message, value)
    if #value == 2 then message.illuminance = string.unpack(">I2", value) end
  end,
  [0xf6] = function(message, value)
    if #value == 2 then message.air_pressure = string.unpack(">I2", value)
    elseif #value == 8 then message.imei = mix.hex(value):match("^0(%d+)$")
    else sensors.event(message, value) end
  end,
  [0xf7] = function(message, value)
    if #value == 2 then
      message.humidity = string.unpack(">I2", value) / 10
      return
    end
    if #value < 4 then return end
    message.battery_voltage = string.unpack(">I4", value) / 1000
    local state, percent = value:byte(5, 6)
    if state == 2 or state == 3 then message.charging = true end
    if percent and percent <= 100 then message.battery = percent end
  end,
  [0xf8] = function(message, value, context)
    if #value >= 19 then -- mode, IMEI, SIM card, model
      message.imei, message.iccid = mix.hex(value:sub(2, 9)):match("^0(%d+)$"), fields.iccid(value:sub(10, 19))
    elseif #value == 2 and (context.model == "C5" or context.model == "C5L") then
      message.steps = string.unpack(">I2", value)
    elseif #value == 2 then
      message.temperature2 = string.unpack(">I2", value) / 10 - 50
    end
  end,
  [0xf9] = sensors.measured,
  [0xfb] = fields.string "container",
  [0xfc] = number("geofence", 1),
  [0xfe] = function(message, value)
    if #value == 1 then level(message, value)
    elseif #value == 2 then message.voltage = string.unpack(">I2", value) / 10
    elseif #value == 4 then message.odometer = string.unpack(">I4", value)
    else lists.driving(message, value) end
  end,
}

return rows
