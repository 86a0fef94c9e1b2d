-- What may follow a value information field to say more about it (EN 13757-3:2018, 6.4.8: tables 15 to 17).
--
-- Each row: `label` names what it says; `exponent` and `offset` change the number, `kind` = "date" makes it a point in
-- time, `factor` a duration in seconds, `count` a number without unit; `problem` says why a record has no value.

local rows = {}

for code, problem in pairs {
  [0x01] = "too many DIFEs", [0x02] = "storage number not implemented", [0x03] = "unit number not implemented",
  [0x04] = "tariff number not implemented", [0x05] = "function not implemented", [0x06] = "data class not implemented",
  [0x07] = "data size not implemented", [0x0b] = "too many VIFEs", [0x0c] = "illegal VIF group",
  [0x0d] = "illegal VIF exponent", [0x0e] = "VIF and DIF do not match", [0x0f] = "unimplemented action",
  [0x15] = "no data available", [0x16] = "data overflow", [0x17] = "data underflow", [0x18] = "data error",
  [0x1c] = "premature end of record",
} do
  rows[code] = { problem = problem }
end

for code, label in pairs {
  [0x20] = "per_second", [0x21] = "per_minute", [0x22] = "per_hour", [0x23] = "per_day", [0x24] = "per_week",
  [0x25] = "per_month", [0x26] = "per_year", [0x27] = "per_measurement", [0x28] = "per_input_pulse_0",
  [0x29] = "per_input_pulse_1", [0x2a] = "per_output_pulse_0", [0x2b] = "per_output_pulse_1", [0x2c] = "per_litre",
  [0x2d] = "per_m3", [0x2e] = "per_kg", [0x2f] = "per_kelvin", [0x30] = "per_kwh", [0x31] = "per_gj",
  [0x32] = "per_kw", [0x33] = "per_kelvin_litre", [0x34] = "per_volt", [0x35] = "per_ampere",
  [0x36] = "times_second", [0x37] = "times_second_per_volt", [0x38] = "times_second_per_ampere",
  [0x3a] = "uncorrected", [0x3b] = "positive_only", [0x3c] = "negative_only", [0x3e] = "base_conditions",
  [0x3f] = "obis_declaration", [0x40] = "lower_limit", [0x48] = "upper_limit", [0x68] = "during_lower_limit",
  [0x69] = "leakage", [0x6c] = "during_upper_limit", [0x6d] = "overflow", [0x7e] = "future",
} do
  rows[code] = { label = label }
end

rows[0x39] = { label = "start", kind = "date" }
rows[0x41] = { label = "lower_limit_exceeded", count = true }
rows[0x49] = { label = "upper_limit_exceeded", count = true }

local SECONDS = { 1, 60, 3600, 86400 }
for nn = 0, 3 do
  for which = 0, 1 do
    local moment = which == 0 and "first" or "last"
    for upper = 0, 1 do
      local limit = upper == 0 and "lower_limit" or "upper_limit"
      rows[0x50 + 8 * upper + 4 * which + nn] = { label = moment .. "_" .. limit .. "_duration", factor = SECONDS[nn + 1] }
    end
    rows[0x60 + 4 * which + nn] = { label = moment .. "_duration", factor = SECONDS[nn + 1] }
  end
end
for finish = 0, 1 do
  local edge = finish == 0 and "begin" or "end"
  for which = 0, 1 do
    local moment = (which == 0 and "first" or "last") .. "_" .. edge
    rows[0x6a + 4 * which + finish] = { label = moment, kind = "date" }
    for upper = 0, 1 do
      local limit = upper == 0 and "lower_limit" or "upper_limit"
      rows[0x42 + 8 * upper + 4 * which + finish] = { label = moment .. "_" .. limit, kind = "date" }
    end
  end
end
for i = 0, 7 do rows[0x70 + i] = { exponent = i - 6 } end
for i = 0, 3 do rows[0x78 + i] = { offset = 10 ^ (i - 3) } end
rows[0x7d] = { exponent = 3 }

-- Behind fc.
local extension = {}
for code, label in pairs {
  [0x01] = "l1", [0x02] = "l2", [0x03] = "l3", [0x04] = "neutral", [0x05] = "l1_l2", [0x06] = "l2_l3",
  [0x07] = "l3_l1", [0x08] = "q1", [0x09] = "q2", [0x0a] = "q3", [0x0b] = "q4", [0x0c] = "import_export_delta",
  [0x10] = "absolute", [0x13] = "to_meter", [0x14] = "from_meter",
} do
  extension[code] = { label = label }
end

return { rows = rows, extension = extension }
