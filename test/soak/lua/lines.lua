local numbers = require "numbers"

protocol = {
  name = "lines",
  frame = mix.frame.delimiter { ends = "\n" },
  decode = function(line) return { text = line } end,
}

function on_message(msg, conn)
  local id, text = msg.text:match("^did (%S+) (.*)$")
  if id then
    conn:set_context_value(id, text)
    return
  end
  local answer = numbers.answer(msg.text, conn)
  if answer then conn:send(answer .. "\n") end
end

-- The device is told `do ID NAME`, and says `did ID TEXT`.
function on_command(cmd, conn)
  conn:send("do " .. cmd.id .. " " .. cmd.name .. "\n")
  local text, err = conn:wait_context_value(cmd.id)
  if not text then return nil, err end
  conn:set_context_value(cmd.id, nil)
  return text
end
