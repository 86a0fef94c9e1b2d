-- Photographs over Codec 12 (type 0d): the device announces one, we ask for it piece by piece.
--
--   01 · photo id (4) · size (4)                              announced
--   02 · photo id (4) · offset (4) · length (2) · bytes       a piece
--   02 · photo id (4) · offset (4) · length (2)               our request for one

local frame_of = require "protocols.teltonika.frame"

local camera = {}

local CODEC_12, CAMERA, ANNOUNCED, PIECE = 0x0c, 0x0d, 1, 2
local MAX_PIECE = 2048
local MAX_PHOTO = 4 * 1024 * 1024

camera.TYPE = CAMERA

--- Reads an announcement or a piece, which goes into `data`; `next` is the offset of what is still to come.
function camera.decode(content, session)
  local kind = content:byte(1)
  if kind == ANNOUNCED and #content >= 9 then
    local id, size = string.unpack(">I4I4", content, 2)
    if size > MAX_PHOTO then return nil, "a photo of more than 4 MiB" end
    session.photo = { id = id, size = size }
    return { type = "photo", photo_id = id, size = size, next = size > 0 and 0 or nil }
  end
  if kind ~= PIECE or #content < 11 then return nil end
  local id, offset, length, at = string.unpack(">I4I4I2", content, 2)
  local data = content:sub(at, at + length - 1)
  local message = { type = "photo", photo_id = id, offset = offset, data = data }
  local photo = session.photo
  if not photo or photo.id ~= id then return message end
  message.size = photo.size
  local after = offset + #data
  if after < photo.size and #data > 0 then message.next = after else session.photo = nil end
  return message
end

--- The request for what follows; nil when all is here.
function camera.request(message)
  if not message.next then return nil end
  local length = math.min(MAX_PIECE, message.size - message.next)
  return frame_of(CODEC_12, CAMERA, string.pack(">BI4I4I2", PIECE, message.photo_id, message.next, length))
end

return camera
