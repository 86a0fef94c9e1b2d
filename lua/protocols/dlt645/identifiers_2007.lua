-- Data identifiers of DL/T 645-2007, annex A (tables A.1 to A.5 and A.8), and what their data is.

local quantities = require "protocols.dlt645.quantities"

local PHASES = { "_l1", "_l2", "_l3" }

-- Table A.1, A.2: by DI2; 15, 29 and 3d (hexadecimal) more steps of 14 are the phases.
local DIRECTIONS = {
  [0] = quantities.combined, quantities.import, quantities.export, quantities.reactive_1, quantities.reactive_2,
  quantities.q1, quantities.q2, quantities.q3, quantities.q4, quantities.apparent_import, quantities.apparent_export,
}
local PHASE_STEP = 0x14

-- Energies beyond those: the sum over the phases, then 14 (hexadecimal) steps for each phase.
local COMPONENTS = {
  [0x80] = "energy_associated", [0x81] = "energy_fundamental_import", [0x82] = "energy_fundamental_export",
  [0x83] = "energy_harmonic_import", [0x84] = "energy_harmonic_export", [0x85] = "energy_copper_loss",
  [0x86] = "energy_iron_loss",
}

local MAX_TARIFF, MAX_HISTORY = 63, 12

--- "_tariff_2", "_history_1": DI1 and DI0 of energies and demands.
local function suffix(di1, di0)
  if di1 > MAX_TARIFF or di0 > MAX_HISTORY then return nil end
  return (di1 > 0 and "_tariff_" .. di1 or "") .. (di0 > 0 and "_history_" .. di0 or "")
end

local function direction(di2)
  local phase = di2 > PHASE_STEP and di2 <= 4 * PHASE_STEP and (di2 - 1) // PHASE_STEP or 0
  return DIRECTIONS[di2 - PHASE_STEP * phase], PHASES[phase] or ""
end

local PREPAID = {
  [0x0100] = { "energy_remaining", "kWh" }, [0x0101] = { "energy_overdrawn", "kWh" },
  [0x0200] = { "credit", "CNY" }, [0x0201] = { "credit_overdrawn", "CNY" },
}

local function energy(di2, di1, di0)
  if di2 == 0x90 then
    local row = PREPAID[di1 * 256 + di0]
    return row and { name = row[1], format = "XXXXXX.XX", unit = row[2] }
  end
  local ending = suffix(di1, di0)
  if not ending then return nil end
  if di2 >= 0x80 then
    local phase = (di2 - 0x80) // PHASE_STEP
    local name = COMPONENTS[di2 - PHASE_STEP * phase]
    if not name or phase > 3 then return nil end
    return { name = name .. (PHASES[phase] or "") .. ending, format = "XXXXXX.XX", unit = "kWh" }
  end
  local row, phase = direction(di2)
  return row and { name = row.energy .. phase .. ending, format = "XXXXXX.XX", unit = row.energy_unit, signed = row.signed }
end

local function demand(di2, di1, di0)
  local ending = suffix(di1, di0)
  local row, phase = direction(di2)
  return ending and row and {
    name = row.power .. "_maximum" .. phase .. ending, format = "XX.XXXX", unit = row.power_unit, signed = row.signed,
    occurred = "YYMMDDhhmm",
  }
end

-- Table A.3: by DI2. `total`: DI1 0 is that of all phases.
local VARIABLES = {
  [0x01] = { name = "voltage", format = "XXX.X", unit = "V" },
  [0x02] = { name = "current", format = "XXX.XXX", unit = "A", signed = true },
  [0x03] = { name = "power", format = "XX.XXXX", unit = "kW", signed = true, total = true },
  [0x04] = { name = "reactive_power", format = "XX.XXXX", unit = "kvar", signed = true, total = true },
  [0x05] = { name = "apparent_power", format = "XX.XXXX", unit = "kVA", signed = true, total = true },
  [0x06] = { name = "power_factor", format = "X.XXX", signed = true, total = true },
  [0x07] = { name = "phase_angle", format = "XXX.X", unit = "°" },
  [0x08] = { name = "voltage_distortion", format = "XX.XX", unit = "%", signed = true },
  [0x09] = { name = "current_distortion", format = "XX.XX", unit = "%", signed = true },
}
local HARMONICS = { [0x0a] = "voltage_harmonic_", [0x0b] = "current_harmonic_" }
local MAX_HARMONIC = 21

-- 02 80 00 xx.
local SINGLE = {
  { name = "current_neutral", format = "XXX.XXX", unit = "A", signed = true },
  { name = "frequency", format = "XX.XX", unit = "Hz" },
  { name = "power_average", format = "XX.XXXX", unit = "kW", signed = true },
  { name = "demand", format = "XX.XXXX", unit = "kW", signed = true },
  { name = "reactive_demand", format = "XX.XXXX", unit = "kvar", signed = true },
  { name = "apparent_demand", format = "XX.XXXX", unit = "kVA", signed = true },
  { name = "temperature", format = "XXX.X", unit = "°C", signed = true },
  { name = "clock_battery_voltage", format = "XX.XX", unit = "V" },
  { name = "reading_battery_voltage", format = "XX.XX", unit = "V" },
  { name = "battery_working_time", format = "XXXXXXXX", unit = "min" },
  { name = "price", format = "XXXX.XXXX", unit = "CNY/kWh" },
}

local function variable(di2, di1, di0)
  if di2 == 0x80 then return di1 == 0 and SINGLE[di0] or nil end
  if HARMONICS[di2] then
    local phase = di0 >= 1 and di0 <= MAX_HARMONIC and PHASES[di1]
    return phase and { name = HARMONICS[di2] .. di0 .. phase, format = "XX.XX", unit = "%" }
  end
  local row = VARIABLES[di2]
  local phase = di1 == 0 and row and row.total and "" or PHASES[di1]
  return row and phase and di0 == 0
    and { name = row.name .. phase, format = row.format, unit = row.unit, signed = row.signed }
end

-- Table A.5, by DI2 DI1 DI0.
local PARAMETERS = {
  [0x000101] = { name = "date", format = "YYMMDDWW" },
  [0x000102] = { name = "time_of_day", format = "hhmmss" },
  [0x000103] = { name = "demand_period", format = "NN", unit = "min" },
  [0x000104] = { name = "demand_step", format = "NN", unit = "min" },
  [0x000105] = { name = "pulse_width", format = "XXXX", unit = "ms" },
  [0x00010c] = { name = "clock", format = "YYMMDDWWhhmmss" },
  [0x000201] = { name = "year_zones", format = "NN" },
  [0x000202] = { name = "day_tables", format = "NN" },
  [0x000203] = { name = "day_periods", format = "NN" },
  [0x000204] = { name = "tariffs", format = "NN" },
  [0x000205] = { name = "holidays", format = "NNNN" },
  [0x000206] = { name = "harmonic_orders", format = "NN" },
  [0x000301] = { name = "displayed_pages", format = "NN" },
  [0x000302] = { name = "display_time", format = "NN", unit = "s" },
  [0x000303] = { name = "energy_decimals", format = "NN" },
  [0x000304] = { name = "demand_decimals", format = "NN" },
  [0x000306] = { name = "current_transformer_ratio", format = "NNNNNN" },
  [0x000307] = { name = "voltage_transformer_ratio", format = "NNNNNN" },
  [0x000401] = { name = "address", format = "############" },
  [0x000402] = { name = "meter_number", format = "############" },
  [0x000403] = { name = "asset_code", format = "a32" },
  [0x000404] = { name = "rated_voltage", format = "a6" },
  [0x000405] = { name = "rated_current", format = "a6" },
  [0x000406] = { name = "maximum_current", format = "a6" },
  [0x000407] = { name = "accuracy_class", format = "a4" },
  [0x000408] = { name = "reactive_accuracy_class", format = "a4" },
  [0x000409] = { name = "meter_constant", format = "XXXXXX", unit = "1/kWh" },
  [0x00040a] = { name = "reactive_meter_constant", format = "XXXXXX", unit = "1/kvarh" },
  [0x00040b] = { name = "meter_model", format = "a10" },
  [0x00040c] = { name = "production_date", format = "a10" },
  [0x00040d] = { name = "protocol_version", format = "a16" },
  [0x00040e] = { name = "customer_number", format = "############" },
  [0x000b01] = { name = "settlement_day_1", format = "DDhh" },
  [0x000b02] = { name = "settlement_day_2", format = "DDhh" },
  [0x000b03] = { name = "settlement_day_3", format = "DDhh" },
  [0x000e01] = { name = "power_import_limit", format = "XX.XXXX", unit = "kW" },
  [0x000e02] = { name = "power_export_limit", format = "XX.XXXX", unit = "kW" },
  [0x000e03] = { name = "voltage_upper_limit", format = "XXX.X", unit = "V" },
  [0x000e04] = { name = "voltage_lower_limit", format = "XXX.X", unit = "V" },
  [0x000f01] = { name = "alarm_energy_1", format = "XXXXXX.XX", unit = "kWh" },
  [0x000f02] = { name = "alarm_energy_2", format = "XXXXXX.XX", unit = "kWh" },
  [0x000f03] = { name = "stored_energy_limit", format = "XXXXXX.XX", unit = "kWh" },
  [0x000f04] = { name = "overdraft_energy_limit", format = "XXXXXX.XX", unit = "kWh" },
  [0x001001] = { name = "alarm_credit_1", format = "XXXXXX.XX", unit = "CNY" },
  [0x001002] = { name = "alarm_credit_2", format = "XXXXXX.XX", unit = "CNY" },
  [0x001003] = { name = "overdraft_credit_limit", format = "XXXXXX.XX", unit = "CNY" },
  [0x800001] = { name = "software_version", format = "a32" },
  [0x800002] = { name = "hardware_version", format = "a32" },
  [0x800003] = { name = "manufacturer_code", format = "a32" },
}
-- 04 00 05 xx: words of status bits.
local STATUS_WORDS = 7

local function parameter(di2, di1, di0)
  if di2 == 0 and di1 == 5 and di0 >= 1 and di0 <= STATUS_WORDS then
    return { name = "status_word_" .. di0, bits = 2 }
  end
  return PARAMETERS[(di2 * 256 + di1) * 256 + di0]
end

-- Table A.4: counts and cumulated minutes of events, xx 00 00: the data of one total each.
local COUNTS = {
  [0x1100] = "power_failures", [0x1200] = "demand_overruns", [0x3000] = "programmings", [0x3001] = "meter_clearings",
  [0x3002] = "demand_clearings", [0x3003] = "event_clearings", [0x3004] = "clock_settings", [0x300d] = "cover_openings",
  [0x300e] = "terminal_cover_openings",
}

local function event(di2, di1, di0)
  local name = di0 == 0 and COUNTS[di2 * 256 + di1]
  return name and { name = name, format = "XXXXXX" }
end

-- Table A.6: xx is 00 to 04 (how it was frozen), the last byte how long ago.
local FROZEN = {
  [0x01] = quantities.import, [0x02] = quantities.export, [0x03] = quantities.reactive_1, [0x04] = quantities.reactive_2,
  [0x05] = quantities.q1, [0x06] = quantities.q2, [0x07] = quantities.q3, [0x08] = quantities.q4,
}

local function frozen(di2, di1, di0)
  local ending = "_frozen_" .. di0
  if di2 > 4 or di0 < 1 or di0 > MAX_TARIFF - 1 then return nil end
  if di1 == 0 then return { name = "time" .. ending, format = "YYMMDDhhmm" } end
  local row = FROZEN[di1]
  -- A total and its tariffs.
  return row and {
    name = row.energy .. ending, format = "XXXXXX.XX", unit = row.energy_unit, signed = row.signed, series = true,
  }
end

local FAMILIES = { [0] = energy, demand, variable, event, parameter, frozen }

--- What the data of an identifier is: { name, format, unit?, signed?, occurred?, bits?, series? }; nil when it is not
-- known. `digits`: eight hexadecimal digits, highest first.
local function find(digits)
  local di3, di2, di1, di0 = mix.unhex(digits):byte(1, 4)
  local family = FAMILIES[di3]
  return family and family(di2, di1, di0)
end

--- The identifiers that a block stands for, in the order of their data: ff stands for all values of its byte.
local function block(digits)
  local at = digits:sub(5, 6) == "ff" and 5 or digits:sub(7, 8) == "ff" and 7
  local list = {}
  for i = 0, at and MAX_TARIFF or -1 do
    local member = digits:sub(1, at - 1) .. string.format("%02x", i) .. digits:sub(at + 2)
    if find(member) then list[#list + 1] = member end
  end
  return list
end

return { find = find, block = block, digits = 8 }
