-- WebSocket frames (RFC 6455, chapter 5).

local frames = {}

frames.OPCODES = { text = 1, binary = 2, close = 8, ping = 9, pong = 10 }
frames.NAMES = {}
for name, opcode in pairs(frames.OPCODES) do frames.NAMES[opcode] = name end

--- Longest message and longest frame, in bytes.
frames.MAX_MESSAGE = 1024 * 1024
--- Longest content of a control frame: ping, pong, close.
frames.MAX_CONTROL = 125
--- Head and mask have at most so many bytes.
frames.MAX_HEAD = 14

--- What the first bytes say: opcode, whether the message ends here, where the content begins, its length. Nil for too
-- few bytes, and nil and an error for what no client sends.
function frames.read_head(bytes)
  if #bytes < 2 then return nil end
  local first, second = bytes:byte(1, 2)
  local opcode, finish, length = first & 15, first & 0x80 ~= 0, second & 0x7f
  if first & 0x70 ~= 0 then return nil, "a reserved bit is set" end
  if second & 0x80 == 0 then return nil, "a frame of a client is masked" end
  if opcode ~= 0 and not frames.NAMES[opcode] then return nil, "a reserved opcode" end
  if opcode >= 8 and (length > frames.MAX_CONTROL or not finish) then return nil, "a control frame is short and whole" end
  local at = 3
  if length == 126 then
    if #bytes < 4 then return nil end
    length, at = string.unpack(">I2", bytes, 3), 5
  elseif length == 127 then
    if #bytes < 10 then return nil end
    local high
    high, length = string.unpack(">I4I4", bytes, 3)
    if high ~= 0 then return nil, "a frame that is too large" end
    at = 11
  end
  if length > frames.MAX_MESSAGE then return nil, "a frame that is too large" end
  return opcode, finish, at + 4, length
end

--- Opcode, whether the message ends here, and the content of a whole frame; nil and an error for what is none.
function frames.read(frame)
  local opcode, finish, at, length = frames.read_head(frame)
  if not opcode then return nil, finish or "too short" end
  if #frame ~= at - 1 + length then return nil, "the length does not match the frame" end
  return opcode, finish, mix.xor(frame:sub(at), frame:sub(at - 4, at - 1))
end

--- The message in the content of a close frame; nil and an error for one that breaks the rules.
function frames.read_close(data)
  if data == "" then return { type = "close" } end
  if #data == 1 or not utf8.len(data:sub(3)) then return nil, "a close frame without a valid reason" end
  local code = string.unpack(">I2", data)
  local known = code >= 1000 and code <= 1014 and code ~= 1004 and code ~= 1005 and code ~= 1006
  if not known and (code < 3000 or code > 4999) then return nil, string.format("close code %d", code) end
  return { type = "close", code = code, reason = #data > 2 and data:sub(3) or nil }
end

--- A frame of the server, which does not mask, of a type of OPCODES.
function frames.write(type, data)
  local size = #data
  local head = size < 126 and string.pack(">B", size) or size < 0x10000 and string.pack(">BI2", 126, size)
    or string.pack(">BI4I4", 127, 0, size)
  return string.char(0x80 | frames.OPCODES[type]) .. head .. data
end

--- The frame of a string: text, or binary where it is no UTF-8.
function frames.write_string(data) return frames.write(utf8.len(data) and "text" or "binary", data) end

return frames
