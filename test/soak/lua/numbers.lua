-- Every device of the campaign says `eco ID N` or `durable ID N`; the answer tells whether the report was taken.

local numbers = { version = 1 }

function numbers.answer(text, conn)
  local kind, id, n = text:match("^(%a+) (%S+) (%d+)$")
  if not kind then return nil end
  if conn and conn:device_id() ~= id then conn:attach(id) end
  local ok, err = mix.report(id, { n = tonumber(n), version = numbers.version }, { topic = kind, durable = kind == "durable" })
  return ok and "ok " .. n or "no " .. n .. " " .. tostring(err)
end

return numbers
