-- Data identifiers of DL/T 645-1997, annex A, and what their data is.

local quantities = require "protocols.dlt645.quantities"

-- The upper half of DI0, for active and reactive energy.
local ACTIVE = { quantities.import, quantities.export }
local REACTIVE = {
  quantities.reactive_import, quantities.reactive_export, quantities.q1, quantities.q4, quantities.q2, quantities.q3,
}
-- The lower half of DI1: bit 0 is reactive, bits 2 and 3 say of which month.
local MONTHS = { [0] = "", "_history_1", "_history_2" }
local MAX_TARIFF = 14

local function accumulated(di1, di0)
  local row = (di1 & 1 == 0 and ACTIVE or REACTIVE)[di0 >> 4]
  local month = di1 & 2 == 0 and MONTHS[di1 >> 2 & 3]
  local tariff = di0 & 15
  if not row or not month or tariff > MAX_TARIFF then return nil end
  local ending = (tariff > 0 and "_tariff_" .. tariff or "") .. month
  local family = di1 >> 4
  if family == 9 then return { name = row.energy .. ending, format = "XXXXXX.XX", unit = row.energy_unit } end
  if family == 0xa then return { name = row.power .. "_maximum" .. ending, format = "XX.XXXX", unit = row.power_unit } end
  return { name = row.power .. "_maximum_time" .. ending, format = "MMDDhhmm" }
end

local FIXED = {
  b210 = { name = "programmed", format = "MMDDhhmm" },
  b211 = { name = "demand_cleared", format = "MMDDhhmm" },
  b212 = { name = "programmings", format = "NNNN" },
  b213 = { name = "demand_clearings", format = "NNNN" },
  b214 = { name = "battery_working_time", format = "NNNNNN", unit = "min" },
  c010 = { name = "date", format = "YYMMDDWW" },
  c011 = { name = "time_of_day", format = "hhmmss" },
  c020 = { name = "meter_status", bits = 1 },
  c021 = { name = "grid_status", bits = 1 },
  c022 = { name = "weekend_status", bits = 1 },
  c030 = { name = "meter_constant", format = "NNNNNN", unit = "1/kWh" },
  c031 = { name = "reactive_meter_constant", format = "NNNNNN", unit = "1/kvarh" },
  c032 = { name = "meter_number", format = "############" },
  c033 = { name = "customer_number", format = "############" },
  c034 = { name = "device_number", format = "############" },
  c111 = { name = "demand_period", format = "NN", unit = "min" },
  c112 = { name = "demand_step", format = "NN", unit = "min" },
  c113 = { name = "display_time", format = "NN", unit = "s" },
  c114 = { name = "display_pause", format = "NN", unit = "s" },
  c115 = { name = "displayed_pages", format = "NN" },
  c117 = { name = "settlement_day", format = "DDhh" },
  c119 = { name = "energy_start", format = "NNNNNN.NN", unit = "kWh" },
  c11a = { name = "reactive_energy_start", format = "NNNNNN.NN", unit = "kvarh" },
  c211 = { name = "pulse_width", format = "NNNN", unit = "ms" },
  c310 = { name = "year_zones", format = "NN" },
  c311 = { name = "day_tables", format = "NN" },
  c312 = { name = "day_periods", format = "NN" },
  c313 = { name = "tariffs", format = "NN" },
  c314 = { name = "holidays", format = "NN" },
  b634 = { name = "power_import_limit", format = "XX.XX", unit = "kW" },
  b635 = { name = "power_export_limit", format = "XX.XX", unit = "kW" },
}

-- By all but the last digit, which is the phase; 0 is that of all phases.
local BY_PHASE = {
  b31 = { name = "phase_failures", format = "NNNN", total = true },
  b32 = { name = "phase_failure_time", format = "NNNNNN", unit = "min", total = true },
  b33 = { name = "phase_failure_begin", format = "MMDDhhmm", total = true },
  b34 = { name = "phase_failure_end", format = "MMDDhhmm", total = true },
  b61 = { name = "voltage", format = "XXXX", unit = "V" },
  b62 = { name = "current", format = "XX.XX", unit = "A" },
  b63 = { name = "power", format = "XX.XXXX", unit = "kW", total = true },
  b64 = { name = "reactive_power", format = "XX.XX", unit = "kvar", total = true },
  b65 = { name = "power_factor", format = "X.XXX", total = true },
}

--- As in identifiers_2007; `digits`: four hexadecimal digits.
local function find(digits)
  if FIXED[digits] then return FIXED[digits] end
  local row = BY_PHASE[digits:sub(1, 3)]
  if row then
    local phase = tonumber(digits:sub(4), 16)
    if phase > 3 or phase == 0 and not row.total then return nil end
    return { name = row.name .. (phase > 0 and "_l" .. phase or ""), format = row.format, unit = row.unit }
  end
  local di1, di0 = mix.unhex(digits):byte(1, 2)
  return di1 >= 0x90 and di1 < 0xbc and accumulated(di1, di0) or nil
end

--- The identifiers that a block stands for: the last digit f stands for all.
local function block(digits)
  local list = {}
  if digits:sub(4) ~= "f" then return list end
  for i = 0, MAX_TARIFF do
    local member = digits:sub(1, 3) .. string.format("%x", i)
    if find(member) then list[#list + 1] = member end
  end
  return list
end

return { find = find, block = block, digits = 4 }
