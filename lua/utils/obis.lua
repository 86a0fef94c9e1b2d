-- OBIS codes: IEC 62056-6-1. A code says what a value is by six numbers: A-B:C.D.E*F.

local obis = {}

--- "1-0:1.8.0*255" of six bytes. Nil for any other number of bytes.
function obis.text(bytes)
  if #bytes ~= 6 then return nil end
  return string.format("%d-%d:%d.%d.%d*%d", bytes:byte(1, 6))
end

-- Value group C by letter, in the short form that IEC 62056-21 meters show.
local LETTERS = { C = 96, F = 97, L = 98, P = 99 }

--- The numbers A, B, C, D, E of a code as text: "1-0:1.8.0*255", "1-0:1.8.0", "1.8.0", "1.8", "F.F". A and B are 1 and
-- 0 where it does not say them. Nil for anything else.
function obis.parse(text)
  local a, b, rest = text:match("^(%d%d?%d?)%-(%d%d?%d?):(.+)$")
  local c, d, e = (rest or text):match("^(%w%w?%w?)%.(%w%w?%w?)%.?(%d?%d?%d?)[*&]?%d*$")
  c, d = LETTERS[c] or tonumber(c), LETTERS[d] or tonumber(d)
  if not c or not d then return nil end
  return tonumber(a or 1), tonumber(b or 0), c, d, tonumber(e) or 0
end

-- Electricity, value group C: the sum of the phases; 20, 40 and 60 more mean L1, L2 and L3 alone. The quantity's
-- name as power (D = 7, 4 or 6) and as energy (D = 8), or its name alone where it has no energy.
local QUANTITIES = {
  [1] = { "power_import", "energy_import" },
  [2] = { "power_export", "energy_export" },
  [3] = { "reactive_power_import", "reactive_energy_import" },
  [4] = { "reactive_power_export", "reactive_energy_export" },
  [5] = { "reactive_power_q1", "reactive_energy_q1" },
  [6] = { "reactive_power_q2", "reactive_energy_q2" },
  [7] = { "reactive_power_q3", "reactive_energy_q3" },
  [8] = { "reactive_power_q4", "reactive_energy_q4" },
  [9] = { "apparent_power_import", "apparent_energy_import" },
  [10] = { "apparent_power_export", "apparent_energy_export" },
  [11] = { "current" },
  [12] = { "voltage" },
  [13] = { "power_factor" },
  [14] = { "frequency" },
  [15] = { "power_absolute", "energy_absolute" },
  [16] = { "power", "energy_net" },
}

-- Value group D of electricity.
local PROCESSING = { [4] = "_average", [6] = "_maximum", [7] = "" }
local ENERGY = 8

local NAMED = {}
for code, name in pairs {
  ["0.0.0"] = "device_number",
  ["0.0.9"] = "device_number",
  ["0.2.0"] = "firmware_version",
  ["81.7.1"] = "phase_angle_u_l2_u_l1",
  ["81.7.2"] = "phase_angle_u_l3_u_l1",
  ["81.7.4"] = "phase_angle_i_l1_u_l1",
  ["81.7.15"] = "phase_angle_i_l2_u_l2",
  ["81.7.26"] = "phase_angle_i_l3_u_l3",
  ["91.7.0"] = "current_neutral",
  ["96.1.0"] = "device_number",
  ["96.5.0"] = "status",
  ["96.8.0"] = "operating_time",
  ["96.50.1"] = "manufacturer",
  ["199.130.3"] = "manufacturer",
  ["199.130.5"] = "public_key",
} do
  local c, d, e = code:match("(%d+)%.(%d+)%.(%d+)")
  NAMED[(c * 256 + d) * 256 + e] = name
end

--- A name for an electricity meter's value: `energy_import`, `energy_import_tariff_1`, `power`, `voltage_l2`. Nil for
-- codes without one.
function obis.name(a, c, d, e)
  local named = NAMED[(c * 256 + d) * 256 + e]
  if named then return named end
  local phase = c > 20 and c < 80 and c // 20 or 0
  local quantity = a == 1 and QUANTITIES[c - 20 * phase]
  local name = quantity and (d == ENERGY and quantity[2] or PROCESSING[d] and quantity[1] .. PROCESSING[d])
  if not name then return nil end
  if phase > 0 then name = name .. "_l" .. phase end
  return e > 0 and name .. "_tariff_" .. e or name
end

return obis
