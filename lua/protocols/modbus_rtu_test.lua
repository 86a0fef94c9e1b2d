-- Run by: moonwire test lua/protocols/modbus_rtu_test.lua
-- Frames of the Modbus Application Protocol V1.1b3, chapter 6, and of meters.

local modbus = require "protocols.modbus_rtu"

local REQUEST = mix.unhex "1103007c00020743"
local RESPONSE = mix.unhex "110103cd6b054012"

--- What a unit answers, with its CRC.
local function adu(digits)
  local bytes = mix.unhex(digits)
  return bytes .. string.pack("<I2", mix.crc("CRC-16/MODBUS", bytes))
end

test("a request as it goes out, and its response with the address that was asked for", function()
  local session = {}
  local bytes = modbus.encode({ unit = 17, function_code = 3, address = 124, quantity = 2 }, session)
  equal(mix.hex(bytes), mix.hex(REQUEST))
  equal(modbus.decode(adu "1103040011002a", session), {
    type = "response", unit = 17, function_code = 3, address = 124, values = { 17, 42 },
  })
end)

test("bits of a response that nobody asked for", function()
  local message = feed(modbus, RESPONSE).messages[1]
  equal(message.bits, {
    true, false, true, true, false, false, true, true, true, true, false, true, false, true, true, false, true, false,
    true, false, false, false, false, false,
  })
end)

test("an exception is no response", function()
  local message = feed(modbus, adu "118302").messages[1]
  equal({ message.type, message.function_code, message.exception }, { "exception", 3, 2 })
  match(message.exception_name, "illegal data address")
end)

test("noise and a wrong CRC do not hide the next frame", function()
  local result = feed(modbus, "\x00\x00", RESPONSE:sub(1, -2) .. "\xff", RESPONSE)
  equal(#result.messages, 1)
  equal(result.discarded, 2 + #RESPONSE)
end)

test("the server's side", function()
  local session = {}
  local request = modbus.server.decode(REQUEST, session)
  equal(request, { type = "request", unit = 17, function_code = 3, address = 124, quantity = 2 })
  equal(mix.hex(modbus.server.encode({ values = { 17, 42 } }, session)), mix.hex(adu "1103040011002a"))
end)

test("a listener tells requests and responses apart", function()
  local result = feed(modbus.monitor, REQUEST, adu "1103040011002a")
  equal({ result.messages[1].type, result.messages[2].type }, { "request", "response" })
end)
