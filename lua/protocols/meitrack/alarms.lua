-- Events of Meitrack devices that are alarms, by their number.

return {
  [1] = "sos", [17] = "low_battery", [18] = "low_power", [19] = "overspeed", [20] = "geofence_enter",
  [21] = "geofence_exit", [22] = "power_restored", [23] = "power_cut", [36] = "tow", [44] = "jamming",
  [78] = "accident", [90] = "hard_cornering", [91] = "hard_cornering", [129] = "hard_braking",
  [130] = "hard_acceleration", [135] = "fatigue_driving",
}
