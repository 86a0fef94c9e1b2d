-- One value of a data object.

local names = require "protocols.dsmr_p1.names"

--- The number and the unit in "00.123*kWh", or the text as it is. `name` tells whether digits alone are a count.
return function(text, name)
  local number, unit = text:match("^([+-]?%d+%.?%d*)%*(.+)$")
  if number then return tonumber(number), unit end
  if (names.counts[name] or text:find(".", 1, true)) and text:find("^%d+%.?%d*$") then return tonumber(text) end
  return text
end
