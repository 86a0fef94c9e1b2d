-- What reports of each kind hold besides their position. A reader fills `report.message`; see text.lua.

local can = require "protocols.queclink.can"
local events = require "protocols.queclink.events"
local extended = require "protocols.queclink.extended"
local information = require "protocols.queclink.information"
local tail = require "protocols.queclink.tail"

local readers = {
  --- For kinds that have no reader of their own.
  default = tail.read,
  by_kind = { CAN = can, ERI = extended },
  --- Kinds that tell about the device.
  information = {},
  --- Kinds whose blank fields are no position.
  without_position = { CAN = true, OBD = true, DTT = true },
  --- Alarms that the kind alone says.
  alarms = {
    SOS = "sos", SPD = "overspeed", TOW = "towing", IDL = "idle", PNA = "power_on", PFA = "power_off",
    EPN = "power_restored", MPN = "power_restored", EPF = "power_cut", MPF = "power_cut", BPL = "low_battery",
    STT = "movement", SWG = "geofence", TMP = "temperature", TEM = "temperature", JDR = "jamming", JDS = "jamming",
    CRA = "accident",
  },
}

for kind, read in pairs(events) do readers.by_kind[kind] = read end
for kind, read in pairs(information) do
  readers.by_kind[kind], readers.information[kind], readers.without_position[kind] = read, true, true
end

return readers
