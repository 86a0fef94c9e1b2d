-- What both versions of DL/T 645 name alike: energies and demands by direction or quadrant.

local quantities = {}

local function row(energy, power, energy_unit, power_unit, signed)
  return { energy = energy, power = power, energy_unit = energy_unit, power_unit = power_unit, signed = signed }
end

local function reactive(name, signed)
  return row("reactive_energy_" .. name, "reactive_power_" .. name, "kvarh", "kvar", signed)
end

quantities.combined = row("energy_combined", "power_combined", "kWh", "kW", true)
quantities.import = row("energy_import", "power_import", "kWh", "kW")
quantities.export = row("energy_export", "power_export", "kWh", "kW")
quantities.reactive_1 = reactive("combined_1", true)
quantities.reactive_2 = reactive("combined_2", true)
quantities.reactive_import = reactive("import")
quantities.reactive_export = reactive("export")
quantities.q1, quantities.q2, quantities.q3, quantities.q4 = reactive "q1", reactive "q2", reactive "q3", reactive "q4"
quantities.apparent_import = row("apparent_energy_import", "apparent_power_import", "kVAh", "kVA")
quantities.apparent_export = row("apparent_energy_export", "apparent_power_export", "kVAh", "kVA")

return quantities
