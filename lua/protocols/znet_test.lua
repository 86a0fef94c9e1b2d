-- Run by: moonwire test lua/protocols/znet_test.lua

local znet = require "protocols.znet"

-- Length 13, which counts itself, action 100, sequence 7.
local PACKET = mix.unhex "0000000d00640007" .. "hello"
local MESSAGE = { type = "packet", action = 100, sequence = 7, body = "hello" }

test("packets, one after the other", function()
  local result = feed(znet, PACKET .. PACKET)
  equal(result.messages, { MESSAGE, MESSAGE })
  equal(result.discarded, 0)
end)

test("what is sent is what is read", function()
  equal(znet.encode(MESSAGE), PACKET)
  equal(mix.hex(znet.encode { action = -1 }), "00000008ffff0000")
end)

test("without its length over UDP and WebSocket", function()
  equal(feed(znet.datagram, PACKET:sub(5)).messages, { MESSAGE })
  equal(znet.datagram.encode(MESSAGE), PACKET:sub(5))
end)

test("a length that does not cover itself is no frame", function()
  local result = feed(znet, "\0\0\0\2", PACKET)
  equal(#result.messages, 1)
end)

test("actions have 16 bits", function()
  local bytes, err = znet.encode { action = 40000 }
  equal(bytes, nil)
  match(err, "%-32768 to 32767")
end)
