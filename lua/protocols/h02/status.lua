-- The status of H02 devices: 32 bits, each 0 when what it stands for is so.

local ARMED, DOOR, ACC_OFF, BLOCKED = 1 << 9, 1 << 8, 1 << 10, 1 << 27

-- The first that is so is the message's alarm.
local ALARMS = {
  { 1 << 0, "vibration" }, { 1 << 1 | 1 << 18, "sos" }, { 1 << 2, "overspeed" }, { 1 << 19, "power_cut" },
}

--- Adds ignition, armed, door, blocked (fuel and power cut off) and an alarm.
return function(message, status)
  message.status = status
  message.ignition = status & ACC_OFF ~= 0
  message.armed = status & ARMED == 0
  message.door = status & DOOR == 0
  message.blocked = status & BLOCKED == 0
  for _, row in ipairs(ALARMS) do
    if status & row[1] ~= row[1] then
      message.alarm = row[2]
      return
    end
  end
end
