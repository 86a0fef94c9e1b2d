-- Protocol numbers that models use for different messages: how long the body is tells which.

local fields = require "protocols.gt06.fields"
local networks = require "protocols.gt06.networks"
local positions = require "protocols.gt06.positions"
local texts = require "protocols.gt06.texts"

local short = {}

--- A row that picks another one by the length of the body.
local function by_length(rows, otherwise)
  return function(body, session) return (rows[#body] or otherwise)(body, session) end
end

--- A position, the card that a reader saw, and in some whether that holds.
local card = positions.location(fields.GSM, function(message, body, at, rest)
  if rest >= 8 then message.driver_id = mix.hex(body:sub(at, at + 7)) end
end)
short[0x17] = by_length({ [34] = card, [35] = card }, texts.short[0x17])

local powered = positions.location(fields.GSM, function(message, body, at, rest)
  if rest < 5 then return end
  local ignition, voltage, battery = string.unpack(">BI2I2", body, at)
  message.ignition, message.voltage, message.battery_voltage = ignition ~= 0, voltage / 100, battery / 100
end)
short[0x24] = by_length({ [41] = powered, [44] = networks.counted }, networks.short[0x24])

--- Cells of a 4G tracker; of how they follow no description is public.
local function lte_cells(body, session)
  local message = { type = "lbs", data_hex = mix.hex(body:sub(7)) }
  fields.time(message, body, 1, session)
  return message
end
short[0x34] = by_length({ [50] = lte_cells }, positions.short[0x34])

return { short = short, long = {} }
