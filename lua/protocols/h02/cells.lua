-- Sentences of H02 with the cells around a device that has no position. Each function reads its fields into `message`,
-- and returns false when they are a position after all.

local digits = require "utils.digits"
local ending = require "protocols.h02.ending"

local cells = {}

local MAX_CELLS = 32

--- `count` cells from the field `at` on, each of `size` fields: area, cell and perhaps its signal.
local function read_cells(message, fields, at, count, size, base, signal)
  local list = {}
  for i = at, at + (math.min(count, MAX_CELLS) - 1) * size, size do
    local lac, cell = tonumber(fields[i] or "", base), tonumber(fields[i + 1] or "", base)
    if not lac or not cell then break end
    local rssi = signal and digits.number(fields[i + signal])
    list[#list + 1] = {
      mcc = message.mcc, mnc = message.mnc, lac = lac, cell = cell, rssi = rssi and 0 - math.abs(rssi),
    }
  end
  message.cells = list
end

--- Cells in decimal, behind their number.
function cells.NBR(message, fields)
  message.valid = false
  message.mcc, message.mnc = digits.number(fields[5]), digits.number(fields[6])
  local at = ending.find(fields, 9)
  read_cells(message, fields, 9, (at - 9) // 3, 3, 10, 2)
  ending.read(message, fields, at)
end

--- Cells; some devices send a position by the same name.
function cells.V3(message, fields)
  local mcc, mnc = (fields[5] or ""):match("^(%d%d%d)(%d+)$")
  if not mcc then return false end
  message.valid, message.mcc, message.mnc = false, tonumber(mcc), tonumber(mnc)
  local count = digits.number(fields[6]) or 0
  read_cells(message, fields, 7, count, 4, 10)
  local at = 7 + 4 * #message.cells
  message.battery_raw = digits.hex(fields[at])
  ending.read(message, fields, at + 3)
end

--- Cells in hexadecimal.
function cells.BS(message, fields)
  message.valid = false
  message.mcc, message.mnc = digits.hex(fields[5]), digits.hex(fields[6])
  read_cells(message, fields, 7, (#fields - 6) // 3, 3, 16)
end

--- A position, or the serving and the neighbouring cells of a device without one.
function cells.VP1(message, fields, text)
  if fields[4] ~= "V" then return false end
  message.valid = false
  message.mcc, message.mnc = digits.number(fields[5]), digits.number(fields[6])
  local parts = mix.str_split(text:match("^" .. ("[^,]*,"):rep(6) .. "(.*)$") or "", "Y")
  message.cells = {}
  for i = 1, math.min(#parts, MAX_CELLS) do
    local lac, cell, rssi = parts[i]:match("^(%d+),(%d+),(%-?%d+)$")
    if lac then
      message.cells[#message.cells + 1] = {
        mcc = message.mcc, mnc = message.mnc, lac = tonumber(lac), cell = tonumber(cell),
        rssi = 0 - math.abs(tonumber(rssi)),
      }
    end
  end
end

return cells
