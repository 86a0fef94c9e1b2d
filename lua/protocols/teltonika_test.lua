-- Run by: moonwire test lua/protocols/teltonika_test.lua
-- Frames of real devices, as published with Traccar's tests.

local teltonika = require "protocols.teltonika"

local LOGIN = string.pack(">I2", 15) .. "123456789012345"
-- Codec 8, one record.
local DATA = mix.unhex(
  "00000000000000350801" .. "0000014f8e016420002141bbaf0f4e96a7fffa0000120000" ..
  "000602010047030242669c92000002c7000000009100000000000100002df3")

test("a login is answered by 01, data by the number of its records", function()
  local result = feed(teltonika, LOGIN, DATA)
  equal(result.messages[1], { type = "login", device_id = "123456789012345" })
  equal(result.replies, { "\1", "\0\0\0\1" })
  equal(result.discarded, 0)
end)

test("a record: position and I/O elements by their names", function()
  local message = feed(teltonika, LOGIN, DATA).messages[2]
  equal(message.device_id, "123456789012345")
  equal(message.time, 1441196500)
  near(message.latitude, 25.6808615)
  near(message.longitude, 55.7956015)
  equal({ message.satellites, message.altitude, message.valid }, { 18, -6, true })
  equal(message.voltage, 26.268)
  equal(message.trip_odometer, 0)
  equal(message.io["71"], 3, "an element without a name, by its number")
end)

test("a keep-alive says nothing", function()
  local result = feed(teltonika, LOGIN, "\xff", DATA)
  equal(#result.messages, 2)
  equal(result.discarded, 0)
end)

test("a wrong checksum is dropped, the packet behind it is read", function()
  local damaged = DATA:sub(1, -2) .. "\0"
  local result = feed(teltonika, LOGIN, damaged, DATA)
  equal(#result.messages, 2)
  -- A byte ff within it stands for a keep-alive.
  equal(result.discarded, #damaged - 1)
end)

test("a datagram names its device and is answered by its ids", function()
  local inner = "\xca\xfe\1\5" .. string.pack(">I2", 15) .. "123456789012345" .. DATA:sub(9, -5)
  local session = {}
  local decoded = teltonika.decode(string.pack(">I2", #inner) .. inner, session)
  equal(decoded[1].device_id, "123456789012345")
  equal(mix.hex(teltonika.reply(decoded, session)), "0005cafe010501")
end)

test("a command", function()
  local bytes = teltonika.encode({ type = "command", text = "getinfo" }, {})
  equal(mix.hex(bytes), "000000000000000f0c010500000007" .. mix.hex "getinfo" .. "0100004312")
end)
