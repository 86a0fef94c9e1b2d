-- Value information fields: what a value is, in which unit (EN 13757-3:2018, 6.4: tables 10, 12 and 14).
--
-- Each row: `name`, `unit`, and how to get from the transmitted number to that unit: times `factor`, times
-- 10^`exponent`. Units are the base ones (Wh, J, m3, W, s, °C …), whatever the meter sends. `kind` is "date" for
-- points in time, "unsigned" for numbers and sets of bits without a sign, "identification" for an address.

local primary, first_extension, second_extension = {}, {}, {}

local function each(rows, first, count, row_of)
  for i = 0, count - 1 do rows[first + i] = row_of(i) end
end

--- `count` codes of one quantity, each ten times the one before, which begin at 10^exponent.
local function decades(rows, first, count, name, unit, exponent)
  each(rows, first, count, function(i) return { name = name, unit = unit, exponent = exponent + i } end)
end

local CALENDAR = {
  { "s", 1 }, { "s", 60 }, { "s", 3600 }, { "s", 86400 }, { "months", 1 }, { "years", 1 },
}

--- Durations: `count` codes from seconds (`from` 0), minutes (1), hours (2), days (3), months (4) or years (5) on.
local function durations(rows, first, count, name, from)
  each(rows, first, count, function(i)
    local unit = CALENDAR[from + i + 1]
    return { name = name, unit = unit[1], factor = unit[2] }
  end)
end

--- Single codes of one kind: { [code] = name }.
local function named(rows, kind, names)
  for code, name in pairs(names) do rows[code] = { name = name, kind = kind } end
end

decades(primary, 0x00, 8, "energy", "Wh", -3)
decades(primary, 0x08, 8, "energy", "J", 0)
decades(primary, 0x10, 8, "volume", "m3", -6)
decades(primary, 0x18, 8, "mass", "kg", -3)
durations(primary, 0x20, 4, "on_time", 0)
durations(primary, 0x24, 4, "operating_time", 0)
decades(primary, 0x28, 8, "power", "W", -3)
decades(primary, 0x30, 8, "power", "J/h", 0)
decades(primary, 0x38, 8, "volume_flow", "m3/h", -6)
decades(primary, 0x40, 8, "volume_flow", "m3/min", -7)
decades(primary, 0x48, 8, "volume_flow", "m3/s", -9)
decades(primary, 0x50, 8, "mass_flow", "kg/h", -3)
decades(primary, 0x58, 4, "flow_temperature", "°C", -3)
decades(primary, 0x5c, 4, "return_temperature", "°C", -3)
decades(primary, 0x60, 4, "temperature_difference", "K", -3)
decades(primary, 0x64, 4, "external_temperature", "°C", -3)
decades(primary, 0x68, 4, "pressure", "bar", -3)
named(primary, "date", { [0x6c] = "date", [0x6d] = "date_time" })
primary[0x6e] = { name = "heat_cost_units" }
durations(primary, 0x70, 4, "averaging_duration", 0)
durations(primary, 0x74, 4, "actuality_duration", 0)
named(primary, "unsigned", { [0x78] = "fabrication_number", [0x7a] = "bus_address" })
named(primary, "identification", { [0x79] = "identification" })

decades(first_extension, 0x00, 2, "energy", "Wh", 5)
decades(first_extension, 0x02, 2, "reactive_energy", "varh", 3)
decades(first_extension, 0x04, 2, "apparent_energy", "VAh", 3)
decades(first_extension, 0x08, 2, "energy", "J", 8)
decades(first_extension, 0x0c, 4, "energy", "cal", 5)
decades(first_extension, 0x10, 2, "volume", "m3", 2)
decades(first_extension, 0x14, 4, "reactive_power", "var", 0)
decades(first_extension, 0x18, 2, "mass", "kg", 5)
decades(first_extension, 0x1a, 2, "relative_humidity", "%", -1)
decades(first_extension, 0x20, 1, "volume", "ft3", 0)
decades(first_extension, 0x21, 1, "volume", "ft3", -1)
decades(first_extension, 0x22, 2, "volume", "gal", -1)
decades(first_extension, 0x24, 1, "volume_flow", "gal/min", -3)
decades(first_extension, 0x25, 1, "volume_flow", "gal/min", 0)
decades(first_extension, 0x26, 1, "volume_flow", "gal/h", 0)
decades(first_extension, 0x28, 2, "power", "W", 5)
decades(first_extension, 0x2a, 1, "phase_angle_u_u", "°", -1)
decades(first_extension, 0x2b, 1, "phase_angle_u_i", "°", -1)
decades(first_extension, 0x2c, 4, "frequency", "Hz", -3)
decades(first_extension, 0x30, 2, "power", "J/h", 8)
decades(first_extension, 0x34, 4, "apparent_power", "VA", 0)
decades(first_extension, 0x58, 4, "flow_temperature", "°F", -3)
decades(first_extension, 0x5c, 4, "return_temperature", "°F", -3)
decades(first_extension, 0x60, 4, "temperature_difference", "°F", -3)
decades(first_extension, 0x64, 4, "external_temperature", "°F", -3)
decades(first_extension, 0x70, 4, "temperature_limit", "°F", -3)
decades(first_extension, 0x74, 4, "temperature_limit", "°C", -3)
decades(first_extension, 0x78, 8, "maximum_power_count", "W", -3)

decades(second_extension, 0x00, 4, "credit", "currency", -3)
decades(second_extension, 0x04, 4, "debit", "currency", -3)
named(second_extension, "unsigned", {
  [0x08] = "access_number", [0x09] = "medium", [0x0a] = "manufacturer", [0x0b] = "parameter_set",
  [0x0c] = "model_version", [0x0d] = "hardware_version", [0x0e] = "firmware_version", [0x0f] = "software_version",
  [0x10] = "customer_location", [0x11] = "customer", [0x12] = "access_code_user", [0x13] = "access_code_operator",
  [0x14] = "access_code_system_operator", [0x15] = "access_code_developer", [0x16] = "password",
  [0x17] = "error_flags", [0x18] = "error_mask", [0x19] = "security_key",
  [0x1a] = "digital_output", [0x1b] = "digital_input", [0x1c] = "baud_rate", [0x1d] = "response_delay",
  [0x1e] = "retry", [0x1f] = "remote_control", [0x20] = "first_storage", [0x21] = "last_storage",
  [0x22] = "storage_size", [0x23] = "descriptor", [0x2a] = "operator_data", [0x2b] = "time_point_second",
  [0x60] = "reset_counter", [0x61] = "cumulation_counter", [0x62] = "control_signal", [0x63] = "day_of_week",
  [0x64] = "week_number", [0x65] = "time_of_day_change", [0x66] = "parameter_activation",
  [0x67] = "supplier_information", [0x72] = "daylight_saving", [0x73] = "listening_window", [0x75] = "stop_count",
})
durations(second_extension, 0x24, 4, "storage_interval", 0)
durations(second_extension, 0x28, 2, "storage_interval", 4)
durations(second_extension, 0x2c, 4, "duration_since_readout", 0)
named(second_extension, "date", { [0x30] = "tariff_start", [0x70] = "battery_change" })
durations(second_extension, 0x31, 3, "tariff_duration", 1)
durations(second_extension, 0x34, 4, "tariff_period", 0)
durations(second_extension, 0x38, 2, "tariff_period", 4)
second_extension[0x3a] = { name = "dimensionless" }
second_extension[0x3b] = { name = "data_container" }
durations(second_extension, 0x3c, 4, "transmission_period", 0)
decades(second_extension, 0x40, 16, "voltage", "V", -9)
decades(second_extension, 0x50, 16, "current", "A", -12)
durations(second_extension, 0x68, 4, "duration_since_cumulation", 2)
durations(second_extension, 0x6c, 4, "battery_operating_time", 2)
second_extension[0x71] = { name = "rf_level", unit = "dBm" }
second_extension[0x74] = { name = "battery_life", unit = "s", factor = 86400 }
second_extension[0x76] = { name = "manufacturer_data" }

--- Rows by the seven bits of a code: of the VIF itself, and of the one behind fb and fd.
return { primary = primary, [0x7b] = first_extension, [0x7d] = second_extension }
