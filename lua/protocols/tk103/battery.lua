-- What the management of a vehicle's battery reports through TK103 devices.

local battery = {}

local MAX_CELLS = 24

--- BS50: one block, little endian: the number of cells at 4, their voltages (mV, room for 24), at 53 charge or
-- discharge, current (0.1 A), voltage (0.01 V), per cent; at 64 cycles, at 73 temperatures (°C + 40) of the power
-- stage, the balancer and so many parts of the battery as the byte before says.
function battery.BS50(message, text)
  local data = mix.unhex(text)
  if not data or #data < 77 then return false end
  message.type = "battery"
  message.cell_voltages = {}
  for i = 1, math.min(data:byte(4), MAX_CELLS) do
    message.cell_voltages[i] = string.unpack("<I2", data, 3 + 2 * i) / 1000
  end
  local current, voltage, percent = string.unpack("<I2I2B", data, 54)
  message.current, message.voltage = current / 10, voltage / 100
  if percent <= 100 then message.battery = percent end
  message.cycles = string.unpack("<I2", data, 64)
  local count, power_stage, balancer = data:byte(73, 75)
  message.power_temperature, message.balancer_temperature = power_stage - 40, balancer - 40
  message.battery_temperatures = {}
  for i = 1, math.min(count, #data - 75, 8) do message.battery_temperatures[i] = data:byte(75 + i) - 40 end
  return true
end

-- BS51: answers of a Daly battery management system (its UART/CAN protocol V1.2) by the id of the request, big endian.
local answers = {}

answers["90"] = function(message, data)
  local voltage, _, current, charge = string.unpack(">I2I2I2I2", data)
  message.voltage, message.current = voltage / 10, (current - 30000) / 10
  if charge <= 1000 then message.battery = charge / 10 end
end

answers["91"] = function(message, data)
  local high, high_cell, low, low_cell = string.unpack(">I2BI2B", data)
  message.cell_voltage_max, message.cell_max = high / 1000, high_cell
  message.cell_voltage_min, message.cell_min = low / 1000, low_cell
end

answers["92"] = function(message, data)
  local high, _, low = string.unpack(">BBB", data)
  message.temperature_max, message.temperature_min = high - 40, low - 40
end

answers["93"] = function(message, data)
  message.remaining_capacity = string.unpack(">I4", data, 5) / 1000
end

answers["94"] = function(message, data)
  message.cell_count, message.sensor_count = data:byte(1, 2)
end

function battery.BS51(message, text)
  for id, digits in text:gmatch("(%x%x):(%x+)") do
    local data = mix.unhex(digits)
    if answers[id] and data and #data >= 8 then
      message.type = "battery"
      answers[id](message, data)
    end
  end
  return message.type ~= nil
end

return battery
