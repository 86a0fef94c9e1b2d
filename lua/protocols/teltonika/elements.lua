-- The I/O elements of Teltonika's records by their ids, as the lists of "AVL ID" in the Teltonika wiki have them.
--
-- Families give many ids meanings of their own, and a record does not say which family sent it: here are those that
-- mean the same wherever they have the size given here. All others come as sent, in `io`, by their id.

local elements = {}

--- The sizes of elements, in the order in which a record has them.
elements.SIZES = { 1, 2, 4, 8 }

--- Rows: how an element goes into a message.
local function flag(name)
  return function(message, value) message[name] = value ~= 0 end
end

--- A number that counts parts of a unit, `divisor` to one; `most`: a greater one says that there is no value.
local function number(name, divisor, most)
  divisor = divisor or 1
  return function(message, value)
    if not most or value <= most then message[name] = value / divisor end
  end
end

--- A signed number of `size` bytes, within ±`most` when given.
local function signed(name, size, divisor, most)
  local half, whole = 2 ^ (8 * size - 1), 2 ^ (8 * size)
  return function(message, value)
    if value >= half then value = value - whole end
    if not most or (value >= -most and value <= most) then message[name] = value / divisor end
  end
end

--- An alarm that holds while its element is not zero; `only_as_event`: on some families another thing has its id.
local function alarm(id, name, only_as_event)
  return function(message, value)
    if value ~= 0 and (not only_as_event or message.event == id) then message.alarm = message.alarm or name end
    if only_as_event then elements.keep(message, id, value) end
  end
end

--- Country and network code in decimal: 24602, 310410.
function elements.operator(message, value)
  if value < 20000 or value > 999999 then return end
  local split = value > 99999 and 1000 or 100
  message.mcc, message.mnc = value // split, value % split
end

--- Wired temperature sensors say with odd temperatures what is wrong with them.
local NOT_READY = 850
local function wired_temperature(name)
  local set = signed(name, 4, 10, 1250)
  return function(message, value)
    if value ~= NOT_READY then set(message, value) end
  end
end

local GREEN_DRIVING = { "hard_acceleration", "hard_braking", "hard_cornering" }

local byte = {
  [1] = flag "input1", [2] = flag "input2", [3] = flag "input3", [4] = flag "input4",
  [21] = number "rssi", [69] = number "gnss_status", [80] = number "data_mode",
  [113] = number("battery", 1, 100),
  [179] = flag "output1", [180] = flag "output2",
  [200] = number "sleep_mode",
  [236] = alarm(236, "general"),
  [239] = flag "ignition", [240] = flag "motion",
  [175] = function(message, value)
    if message.event == 175 then message.alarm = value == 0 and "geofence_exit" or "geofence_enter" end
  end,
  [246] = alarm(246, "tow", true), [247] = alarm(247, "accident", true), [249] = alarm(249, "jamming", true),
  [251] = alarm(251, "idle", true), [252] = alarm(252, "power_cut", true), [255] = alarm(255, "overspeed", true),
  [253] = function(message, value) message.alarm = GREEN_DRIVING[value] or message.alarm end,
  [254] = number "green_driving_value",
  [662] = flag "door",
}
for zone = 155, 159 do
  byte[zone] = function(message, value)
    if message.event == zone and value <= 1 then
      message.alarm = value == 0 and "geofence_exit" or "geofence_enter"
    end
  end
end

local word = {
  [9] = number("adc1", 1000), [10] = number("adc2", 1000), [11] = number("adc3", 1000),
  [17] = signed("axis_x", 2, 1), [18] = signed("axis_y", 2, 1), [19] = signed("axis_z", 2, 1),
  [66] = number("voltage", 1000), [67] = number("battery_voltage", 1000), [68] = number("battery_current", 1000),
  [181] = number("pdop", 10), [182] = number("hdop", 10),
  [205] = number "cell", [206] = number "lac",
}

local long = {
  [16] = number "odometer", [199] = number "trip_odometer",
  [205] = number "cell", [636] = number "cell",
  [241] = elements.operator,
}

local double = {
  [11] = function(message, value) message.iccid = string.format("%.0f", value) end,
  [78] = function(message, value)
    local bytes = string.pack(">I8", value):reverse() -- an iButton sends its lowest byte first
    if value ~= 0 then message.driver_id = mix.hex(bytes):upper() end
  end,
}

-- Sensors of which a device has up to four: Bluetooth probes, wired ones, EYE sensors.
for i = 1, 4 do
  word[24 + i] = signed("ble_temperature" .. i, 2, 100, 12500)
  word[({ 86, 104, 106, 108 })[i]] = number("ble_humidity" .. i, 10, 1000)
  long[71 + i] = wired_temperature("temperature" .. i)
  word[700 + i] = signed("ble_temperature" .. i, 2, 100, 12500)
  word[10799 + i] = signed("eye_temperature" .. i, 2, 100, 12500)
  byte[10803 + i] = number("eye_humidity" .. i, 1, 100)
  byte[10807 + i] = flag("eye_magnet" .. i)
  byte[10811 + i] = flag("eye_motion" .. i)
  byte[10815 + i] = signed("eye_pitch" .. i, 1, 1, 90)
  byte[10819 + i] = flag("eye_low_battery" .. i)
  word[10823 + i] = number("eye_battery_voltage" .. i, 1000)
  word[10831 + i] = signed("eye_roll" .. i, 2, 1, 180)
end
for i = 1, 6 do word[10643 + i] = signed("probe_temperature" .. i, 2, 100, 12500) end

local FLEET = { byte, word, [4] = long, [8] = double }

--- The elements of GH3000 and its relatives (codec 7), whose ids mean other things.
elements.PERSONAL = {
  {
    [1] = number("battery", 1, 100), [2] = flag "usb", [221] = number "button", [222] = alarm(222, "sos"),
    [240] = flag "motion", [244] = flag "roaming",
  },
  {
    [20] = number("hdop", 10), [21] = number("vdop", 10), [22] = number("pdop", 10),
    [67] = number("battery_voltage", 1000),
  },
  [4] = { [5] = number "uptime" },
}

--- Keeps an element as sent.
function elements.keep(message, id, value)
  local io = message.io
  if not io then
    io = {}
    message.io = io
  end
  io[tostring(id)] = value
end

--- Puts an element into a message. `value`: its unsigned number; beyond 2^53 a decimal string. `family`: rows by size
-- and id, those of vehicle trackers if left out.
function elements.set(message, size, id, value, family)
  local row = (family or FLEET)[size][id]
  if row and type(value) == "number" then row(message, value) else elements.keep(message, id, value) end
end

--- Ends a record: a cell without its area, or of number 0, is none.
function elements.finish(message)
  if message.lac == 0 or message.cell == 0 then message.lac, message.cell = nil, nil end
end

return elements
