-- Lines of text.
-- Each line becomes { type = "line", text = … }; lines end with "\n" or "\r\n" and empty ones are passed over.
-- Encode takes such a message, or a string, and ends it with "\r\n".

local function trim(line) return (line:gsub("[\r\n]+$", "")) end

return {
  name = "line",
  frame = mix.frame.delimiter { ends = "\n" },

  -- A UDP datagram comes as it is: it may hold several lines, and its last one need not be ended.
  decode = function(frame)
    local lines = {}
    for line in frame:gmatch("[^\r\n]+") do lines[#lines + 1] = { type = "line", text = line } end
    return #lines > 1 and lines or lines[1]
  end,

  encode = function(message)
    local text = type(message) == "table" and message.text or message
    if type(text) ~= "string" then return nil, "a line needs its text" end
    return trim(text) .. "\r\n"
  end,
}
