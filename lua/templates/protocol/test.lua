-- Run by: moonwire test lua/protocols/NAME_test.lua

local protocol = require "protocols.NAME"

-- Use frames that real devices sent, and say where they are from.
local READING = mix.unhex "23030100d7f01d"

test("a reading", function()
  local result = feed(protocol, READING)
  equal(result.messages, { { type = "reading", temperature = 21.5 } })
  equal(result.replies, { "\x06" })
  equal(result.discarded, 0)
end)

test("noise and a wrong checksum do not hide the next frame", function()
  local result = feed(protocol, "noise", READING:sub(1, -2) .. "\xff", READING)
  equal(#result.messages, 1)
  equal(result.discarded, #"noise" + #READING)
end)

test("an unknown kind is an error of its frame", function()
  local body = "#\x01\x09"
  local result = feed(protocol, body .. string.pack("<I2", mix.crc("CRC-16/MODBUS", body)), READING)
  match(result.error, "unknown kind 9")
  equal(#result.messages, 1)
end)

test("a command to the device", function()
  equal(mix.hex(protocol.encode { type = "interval", seconds = 60 }):sub(1, 10), "230302003c")
  local bytes, err = protocol.encode { type = "interval", seconds = 0 }
  equal(bytes, nil)
  match(err, "from 1 to 65535")
end)
