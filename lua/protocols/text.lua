-- The text protocol of CONNMIX and Workerman: strings that end with "\n". A message is the string itself.

return {
  name = "text",
  frame = mix.frame.delimiter { ends = "\n" },

  -- For scripts that define protocol_input themselves, as those of CONNMIX do: the end of the first line.
  input = function(buf) return buf:find "\n" or 0 end,

  decode = function(frame) return (frame:gsub("\r?\n?$", "")) end,

  encode = function(message)
    if type(message) ~= "string" then return nil, "a text message is a string, not a " .. type(message) end
    if message:find("\n", 1, true) then return nil, "a text message holds no line end" end
    return message .. "\n"
  end,
}
