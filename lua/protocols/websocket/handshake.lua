-- The opening handshake of WebSocket (RFC 6455, chapter 4).

local handshake = {}

local GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

--- Longest request, in bytes.
handshake.MAX_REQUEST = 16384

local function has_token(header, token)
  for part in (header or ""):gmatch "[^,%s]+" do
    if part:lower() == token then return true end
  end
  return false
end

--- Headers by their names in small letters, and by their names as they were sent.
local function read_headers(lines)
  local headers, sent = {}, {}
  for line in lines:gmatch "[^\r\n]+" do
    local name, value = line:match "^([^%s:]+):%s*(.-)%s*$"
    if not name then return nil, "a header without a name" end
    local lower = name:lower()
    headers[lower] = headers[lower] and headers[lower] .. ", " .. value or value
    sent[name] = headers[lower]
  end
  return headers, sent
end

--- A request up to its empty line: { method, target, headers, sent }, with `headers` by their names in small letters
-- and `sent` by their names as they came. Nil and an error for what asks for no WebSocket.
function handshake.read(request)
  local method, target, lines = request:match "^(%u+) (%S+) HTTP/1%.1\r\n(.*)$"
  if not method then return nil, "no HTTP/1.1 request" end
  local headers, sent = read_headers(lines)
  if not headers then return nil, sent end
  local key = headers["sec-websocket-key"]
  if method ~= "GET" or not has_token(headers.upgrade, "websocket") or not has_token(headers.connection, "upgrade") then
    return nil, "no WebSocket upgrade"
  end
  if headers["sec-websocket-version"] ~= "13" then return nil, "not WebSocket version 13" end
  if not key or #(mix.base64_decode(key) or "") ~= 16 then return nil, "no valid Sec-WebSocket-Key" end
  return { method = method, target = target, headers = headers, sent = sent }
end

--- The answer to a request with these headers.
function handshake.accept(headers)
  local accept = mix.base64_encode(mix.sha1_bin(headers["sec-websocket-key"] .. GUID))
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    .. accept .. "\r\n\r\n"
end

return handshake
