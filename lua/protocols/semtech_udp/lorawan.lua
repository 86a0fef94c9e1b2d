-- The open part of a LoRaWAN frame (LoRaWAN 1.0.4 and 1.1, 4: PHYPayload): who sends what kind of frame. The rest is
-- encrypted for the network and application servers.

local MESSAGE_TYPES = {
  [0] = "join_request", "join_accept", "unconfirmed_data_up", "unconfirmed_data_down", "confirmed_data_up",
  "confirmed_data_down", "rejoin_request", "proprietary",
}
local JOIN_REQUEST_SIZE = 23

--- `size` bytes that travel low byte first, as hexadecimal digits with the high byte first.
local function address(bytes, at, size) return mix.hex(bytes:sub(at, at + size - 1):reverse()) end

local lorawan = {}

--- { message_type, … } of a frame; nil when it is too short for one. The version is not
-- looked at: anybody's frames reach a gateway, and its two bits say nothing by themselves.
function lorawan.read(phy)
  if #phy < 5 then return nil end
  local kind = phy:byte() >> 5
  local message = { message_type = MESSAGE_TYPES[kind], mic = mix.hex(phy:sub(-4)) }
  if kind == 0 then
    if #phy ~= JOIN_REQUEST_SIZE then return nil end
    message.join_eui, message.dev_eui = address(phy, 2, 8), address(phy, 10, 8)
    message.dev_nonce = string.unpack("<I2", phy, 18)
  elseif kind >= 2 and kind <= 5 then
    if #phy < 12 then return nil end
    local control, count = string.unpack("<BI2", phy, 6)
    local port_at = 9 + (control & 15) -- behind the options
    if port_at > #phy - 3 then return nil end
    message.dev_addr = address(phy, 2, 4)
    message.adr, message.ack = control & 0x80 ~= 0, control & 0x20 ~= 0
    message.frame_control, message.frame_count = control, count
    if port_at <= #phy - 4 then
      message.port = phy:byte(port_at)
      message.frame_payload = mix.hex(phy:sub(port_at + 1, -5))
    end
  end
  return message
end

return lorawan
