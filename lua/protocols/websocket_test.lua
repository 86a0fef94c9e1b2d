-- Run by: moonwire test lua/protocols/websocket_test.lua

local websocket = require "protocols.websocket"

-- RFC 6455, 1.3 and 5.7.
local REQUEST = "GET /chat?x=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
  .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
local HELLO = mix.unhex "818537fa213d7f9f4d5158"
local PING = mix.unhex "898537fa213d7f9f4d5158"

test("a handshake, a message, a ping", function()
  local result = feed(websocket, REQUEST, HELLO, PING)
  equal(result.messages[1].path, "/chat")
  equal(result.messages[2], { type = "text", data = "Hello", finish = true })
  match(result.replies[1], "^HTTP/1.1 101 .*Accept: s3pPLMBiTxaQ9kYGzzhZRbK%+xOo=\r\n\r\n$")
  equal(result.replies[2], mix.unhex "8a05" .. "Hello")
end)

test("a frame without a mask ends the connection", function()
  local result = feed(websocket, REQUEST, mix.unhex "8105" .. "Hello")
  equal(#result.messages, 1)
  match(result.error, "masked")
end)

--- A client as a script of CONNMIX has it, and the bytes it received.
local function client()
  local conn = { sent = {}, context = {}, closed = false }
  function conn:send(bytes) self.sent[#self.sent + 1] = bytes end
  function conn:close() self.closed = true end
  function conn:clear_buffer() end
  function conn:context_value(key) return self.context[key] end
  function conn:set_context_value(key, value) self.context[key] = value end
  mix.socket = { tcp = function() return conn end }
  return conn
end

local function buffer(bytes)
  local buf = {}
  function buf:length() return #bytes end
  function buf:read(n) return bytes:sub(1, n) end
  function buf:tostring() return bytes end
  function buf:find(pattern) return (bytes:find(pattern, 1, true)) end
  return buf
end

test("scripts of CONNMIX call it without the client", function()
  local conn, greeted = client(), nil
  local function on_handshake(headers) greeted = headers.Host .. headers.RequestUri end
  equal(websocket.input(buffer(REQUEST:sub(1, -3)), on_handshake), 0)
  equal(#conn.sent, 0)
  equal(websocket.input(buffer(REQUEST), on_handshake), 0)
  equal(greeted, "example.com/chat?x=1")
  match(conn.sent[1], "^HTTP/1.1 101 ")
  equal(websocket.input(buffer(HELLO:sub(1, -2)), on_handshake), 0)
  equal(websocket.input(buffer(HELLO .. PING), on_handshake), #HELLO)
  equal(websocket.decode(HELLO), { type = "text", data = "Hello", finish = true })
  equal(websocket.send_text "Hi", true)
  equal(conn.sent[2], mix.unhex "8102" .. "Hi")
  equal(websocket.encode "Hi", conn.sent[2])
end)

test("they get parts as they come, and closes as text", function()
  local conn = client()
  local function masked(first, data) return string.char(first, 0x80 | #data) .. "\0\0\0\0" .. data end
  equal(websocket.decode(masked(0x01, "Hel")), { type = "text", data = "Hel", finish = false })
  equal(websocket.decode(masked(0x80, "lo")), { type = "continuation", data = "lo", finish = true })
  equal(websocket.decode(masked(0x88, "\x03\xe8bye")),
    { type = "close", data = "1000,bye", code = 1000, reason = "bye", finish = true })
  equal({ mix.hex(conn.sent[1]), conn.closed }, { "880203e8", true })
end)

test("what breaks the rules disconnects them", function()
  local conn = client()
  equal(websocket.input(buffer "hello\r\n\r\n"), -1)
  equal(websocket.input(buffer(("x"):rep(20000))), -1)
  conn:set_context_value("__handshake", true)
  equal(websocket.input(buffer(mix.unhex "8105" .. "Hello")), -1)
  equal(websocket.decode(mix.unhex "818100000000ff"), nil)
  equal(conn.closed, true)
end)
