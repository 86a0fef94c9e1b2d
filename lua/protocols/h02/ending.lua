-- How sentences of H02 end: a date and, behind it, the status.

local digits = require "utils.digits"
local status = require "protocols.h02.status"

local ending = {}

--- Whether `text` has the six digits of a date or a time of day.
function ending.is_date(text) return text ~= nil and #text == 6 and not text:find("%D") end

--- Reads a status of eight hexadecimal digits; returns whether it is one.
function ending.read_status(message, text)
  if not text or #text ~= 8 then return false end
  local value = digits.hex(text)
  if value then status(message, value) end
  return value ~= nil
end

--- Where the date and the status behind it stand, from `at` on, whatever the number of cells before them says.
function ending.find(fields, at)
  for i = #fields - 1, at, -1 do
    if ending.is_date(fields[i]) and fields[i + 1]:find("^%x%x%x%x%x%x%x%x$") then return i end
  end
  return #fields + 1
end

--- A date, the status behind it, and the time of day from the field 4.
function ending.read(message, fields, at)
  message.time = ending.is_date(fields[4]) and digits.time(fields[at], fields[4], "dmy") or nil
  ending.read_status(message, fields[at + 1])
end

return ending
