-- Run by: moonwire test lua/protocols/gt06_test.lua
-- Frames of real devices, as published with Traccar's tests.

local gt06 = require "protocols.gt06"

local LOGIN = mix.unhex "78780d0103534190360660610003c3df0d0a"
local LOCATION = mix.unhex "78782912170316053b3bcf015b51220af1201105d56100000000000000000000869c0130010000000238d1af0d0a"

local function position(device_id)
  return {
    type = "location", protocol_number = 0x12, serial = 568, device_id = device_id,
    time = 1679464799, latitude = 22761762 / 1800000, longitude = 183574545 / 1800000, valid = true,
    speed = 5, course = 353, satellites = 15, ignition = true, odometer = 34460,
  }
end

test("a login, and a position that carries its device", function()
  local result = feed(gt06, LOGIN, LOCATION)
  equal(result.messages, {
    { type = "login", protocol_number = 1, serial = 3, device_id = "353419036066061" },
    position "353419036066061",
  })
  equal(result.discarded, 0)
end)

test("each message is acknowledged by its number and serial", function()
  local result = feed(gt06, LOGIN, LOCATION)
  equal(mix.hex(result.replies[1]), "787805010003" .. "face" .. "0d0a")
  equal(mix.hex(result.replies[2]:sub(1, 6)), "787805120238")
end)

test("noise and a wrong checksum do not hide the next frame", function()
  local damaged = LOCATION:sub(1, 10) .. "\x00" .. LOCATION:sub(12)
  local result = feed(gt06, "noise", damaged, LOCATION)
  equal(result.messages, { position(nil) })
  equal(result.discarded, #"noise" + #damaged)
end)

test("a position that cannot be is left out", function()
  local content = "\x29" .. LOCATION:sub(4, 11) .. "\xff\xff\xff\xff" .. LOCATION:sub(16, -5)
  local frame = "xx" .. content .. string.pack(">I2", mix.crc("CRC-16/IBM-SDLC", content)) .. "\r\n"
  local message = feed(gt06, frame).messages[1]
  equal(message.latitude, nil)
  equal(message.longitude, nil)
  equal(message.valid, false)
  equal(message.time, 1679464799)
end)

test("a command", function()
  local session = {}
  local bytes = gt06.encode({ type = "command", text = "STATUS#" }, session)
  equal(mix.hex(bytes:sub(1, -7)), "787811800b00000000" .. mix.hex "STATUS#")
  equal(session.serial, 1)
  local none, err = gt06.encode({ type = "command", text = "" }, session)
  equal(none, nil)
  match(err, "1 to 245 bytes")
end)
