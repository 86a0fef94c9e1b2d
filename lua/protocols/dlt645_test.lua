-- Run by: moonwire test lua/protocols/dlt645_test.lua
-- Frames of real meters.

local dlt645 = require "protocols.dlt645"

local REQUEST = mix.unhex "68610100000000681104333435351816"
local ANSWER = mix.unhex "6861010000000068910733343535cc7c331616"

test("a request as it goes out wakes the meter first", function()
  local bytes = dlt645.encode({ device_id = "161", data_identifier = "02020100" }, {})
  equal(mix.hex(bytes), "fefefefe" .. mix.hex(REQUEST))
end)

test("an answer: the value by its identifier", function()
  local result = feed(dlt645, "\xfe\xfe", ANSWER)
  equal(result.messages, { {
    type = "response", command = "read", version = "2007", control = 0x91,
    address = "000000000161", device_id = "000000000161", data_identifier = "02020100", data_hex = "994900",
    values = { { name = "current_l1", value = 4.999, unit = "A", data_identifier = "02020100" } },
  } })
  equal(result.discarded, 0)
end)

test("the echo of our own request is passed over, that of another is not", function()
  local session = {}
  dlt645.encode({ device_id = "161", data_identifier = "02020100" }, session)
  equal(dlt645.decode(REQUEST, session), nil)
  equal(dlt645.decode(REQUEST, session).type, "request")
end)

test("a wrong checksum is dropped, the frame behind it is read", function()
  local damaged = ANSWER:sub(1, 12) .. "\x00" .. ANSWER:sub(14)
  local result = feed(dlt645, damaged, ANSWER)
  equal(#result.messages, 1)
  equal(result.discarded, #damaged)
end)

test("digits that are none are no value", function()
  local content = mix.unhex "6861010000000068910733343535" .. "\xff\xff\xff"
  local frame = content .. string.char(mix.checksum.sum8(content), 0x16)
  equal(feed(dlt645, frame).messages[1].values, {})
end)
