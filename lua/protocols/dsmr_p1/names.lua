-- What P1 telegrams name by OBIS codes beyond the quantities of utils/obis.lua: DSMR 5.0.2, eMUCS-P1 1.7.1 (Belgium),
-- E-meter P1 specification 1.1.3 (Luxembourg).

local names = {}

-- By C.D.E.
names.codes = {
  ["0.2.8"] = "version",
  ["96.1.4"] = "version",
  ["96.1.0"] = "equipment_id",
  ["96.1.1"] = "equipment_id",
  ["96.1.2"] = "ean_code",
  ["42.0.0"] = "logical_device_name",
  ["96.14.0"] = "tariff",
  ["96.3.10"] = "switch_position",
  ["24.4.0"] = "valve_position",
  ["17.0.0"] = "power_limit",
  ["31.4.0"] = "fuse_limit_l1",
  ["51.4.0"] = "fuse_limit_l2",
  ["71.4.0"] = "fuse_limit_l3",
  ["94.32.1"] = "grid_configuration",
  ["96.7.21"] = "power_failures",
  ["96.7.9"] = "long_power_failures",
  ["32.32.0"] = "voltage_sags_l1",
  ["52.32.0"] = "voltage_sags_l2",
  ["72.32.0"] = "voltage_sags_l3",
  ["32.36.0"] = "voltage_swells_l1",
  ["52.36.0"] = "voltage_swells_l2",
  ["72.36.0"] = "voltage_swells_l3",
  ["96.13.0"] = "text_message",
  ["96.13.1"] = "numeric_message",
}

-- Numbers without a unit; everything else without one is a code whose zeros count, such as a tariff.
names.counts = {
  switch_position = true, valve_position = true, power_failures = true, long_power_failures = true,
  voltage_sags_l1 = true, voltage_sags_l2 = true, voltage_sags_l3 = true,
  voltage_swells_l1 = true, voltage_swells_l2 = true, voltage_swells_l3 = true,
}

-- Sub-meters by M-Bus device type (EN 13757-3, table 3).
names.media = {
  [2] = "electricity", [3] = "gas", [4] = "heat", [6] = "warm_water", [7] = "water", [8] = "heat_cost", [10] = "cooling",
  [11] = "cooling", [12] = "heat", [13] = "heat_cooling", [21] = "hot_water", [22] = "cold_water",
}

-- The end-of-month values of Hungarian meters (0-0:98.1.0), in their order (E.ON: P1 port of consumers' meters).
names.month_end = {
  "1.8.0", "1.8.1", "1.8.2", "2.8.0", "2.8.1", "2.8.2", "3.8.0", "4.8.0", "5.8.0", "6.8.0", "7.8.0", "8.8.0", "15.8.0",
  "1.6.0", "1.6.1", "1.6.2", "2.6.0", "2.6.1", "2.6.2",
}

return names
